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
