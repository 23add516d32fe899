"""Where a nats-server is and how to enter it. Imports no client: the embedded server is started before anything heavy
is loaded."""

from __future__ import annotations

import msgspec


class Endpoint(msgspec.Struct, frozen=True):
    """A server's URL (several may stand in it, separated by commas) and credentials."""

    url: str
    user: str = ""
    password: str = ""
    inbox: str = "_INBOX"
    """What the subjects begin with that this user is answered on."""
    ca: str = ""
    """File of the certificates that the server's must lead to; empty: those that the system trusts."""
    certificate: str = ""
    key: str = ""
    """Files of a client certificate and its key."""
    credentials: str = ""
    """A file as ``nsc generate creds`` writes it."""
    nkey: str = ""
    """The file of an nkey's seed."""
    issuer: str = ""
    """The seed of the key that vouches for who else may enter; empty: the server decides that without us."""
    system_user: str = ""
    system_password: str = ""
    """Of the server's system account, through which a client is cut off; empty: we have no part in it."""
    public: str = ""
    """Where others connect; empty: where we do."""


def plain(url: str) -> str:
    """A URL, or several, without the credentials in it."""
    return ",".join(_bare(part.strip()) for part in url.split(",") if part.strip())


def _bare(url: str) -> str:
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme or 'nats'}{separator or '://'}{rest.rpartition('@')[2]}"
