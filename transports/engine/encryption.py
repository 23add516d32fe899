"""TLS for the HTTP doors."""

from __future__ import annotations

import ssl
from pathlib import Path

from octonet.kernel.errors import Invalid


def server_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """TLS 1.2 and above with this certificate (PEM, with those that lead to its authority behind it) and its key; None
    where neither is named. Raises `Invalid`, code TLS_FILES."""
    if not certificate and not key:
        return None
    if not certificate or not key:
        raise _unfit("a certificate and its key go together: set both OCTONET_TLS_CERT and OCTONET_TLS_KEY")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for path in (certificate, key):
        try:
            Path(path).read_bytes()
        except OSError as problem:
            raise _unfit(f"{path} cannot be read: {problem.strerror}") from None
    try:
        # Nobody is asked for a password in the middle of a start.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as problem:
        reason = problem.reason or str(problem)
        raise _unfit(
            f"{certificate} and {key} do not make a certificate with its key ({reason}): both are PEM, the key is of "
            "this certificate, and without a password"
        ) from None
    return context


def _unfit(sentence: str) -> Invalid:
    return Invalid(f"the doors cannot speak TLS: {sentence}", code="TLS_FILES")
