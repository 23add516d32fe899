"""TLS and credentials on the way to nats-server."""

from __future__ import annotations

import importlib.util
import ssl
from pathlib import Path
from typing import Final

from jetstream.endpoint import Endpoint
from octonet.kernel.errors import Invalid, Unavailable

_SCHEME: Final = "tls://"


def client_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    """How the server is recognised, and shown who we are; None where nothing asks for TLS. Raises `Invalid`, code
    TLS_FILES."""
    if not (endpoint.ca or endpoint.certificate or endpoint.key or _SCHEME in endpoint.url):
        return None
    if bool(endpoint.certificate) != bool(endpoint.key):
        raise _unfit("a client certificate and its key go together: set both NATS_CERT and NATS_KEY")
    for path in (endpoint.ca, endpoint.certificate, endpoint.key):
        _check_there(path)
    try:
        context = ssl.create_default_context(cafile=endpoint.ca or None)
    except ssl.SSLError as problem:
        raise _unfit(f"NATS_CA {endpoint.ca} holds no certificate in PEM ({problem.reason})") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.certificate:
        try:
            context.load_cert_chain(endpoint.certificate, endpoint.key, password="")
        except ssl.SSLError as problem:
            raise _unfit(
                f"{endpoint.certificate} and {endpoint.key} do not make a certificate with its key "
                f"({problem.reason}): both are PEM, the key is of this certificate, and without a password"
            ) from None
    return context


def check_credentials(endpoint: Endpoint) -> None:
    """Whether what is named can be used. Raises `Invalid`, code NATS_CREDENTIALS; `Unavailable`, code
    NKEYS_NOT_INSTALLED."""
    named = [name for name in (endpoint.credentials, endpoint.nkey) if name]
    if not named:
        return
    if len(named) > 1 or endpoint.user:
        raise Invalid(
            "nats-server is entered in one way: set either NATS_USER and NATS_PASSWORD, or NATS_CREDS, or NATS_NKEY",
            code="NATS_CREDENTIALS",
        )
    if importlib.util.find_spec("nkeys") is None:
        sentence = "NATS_CREDS and NATS_NKEY need more to be installed: pip install 'octonet[nkeys]'"
        raise Unavailable(sentence, code="NKEYS_NOT_INSTALLED")
    try:
        text = Path(named[0]).read_bytes()
    except OSError as problem:
        raise Invalid(f"{named[0]} cannot be read: {problem.strerror}", code="NATS_CREDENTIALS") from None
    if endpoint.credentials and b"BEGIN NATS USER JWT" not in text:
        raise Invalid(
            f"NATS_CREDS {named[0]} is no credentials file, as `nsc generate creds` writes it", code="NATS_CREDENTIALS"
        )
    if endpoint.nkey and not text.strip().startswith(b"SU"):
        raise Invalid(f"NATS_NKEY {named[0]} holds no seed of a user: one begins with SU", code="NATS_CREDENTIALS")


def _check_there(path: str) -> None:
    if path:
        try:
            Path(path).read_bytes()
        except OSError as problem:
            raise _unfit(f"{path} cannot be read: {problem.strerror}") from None


def _unfit(sentence: str) -> Invalid:
    return Invalid(f"nats-server cannot be reached by TLS: {sentence}", code="TLS_FILES")
