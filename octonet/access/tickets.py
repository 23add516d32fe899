"""Tickets: what a browser puts into an address where it can send no header (WebSocket, SSE), instead of a key.

A ticket is signed, names the key it was given for, and is good for half a minute: long enough to connect, too short to
be worth finding in a log.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from hashlib import blake2b
from typing import Final

_MARK: Final = "ticket_"
_SIGNATURE: Final = 16
LIFE: Final = 30_000
"""Milliseconds."""


class Tickets:
    """Gives and reads tickets. `key` (up to 64 bytes) is secret, and the same on every process."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def give(self, prefix: str, now: int) -> str:
        """A ticket for the key with this public part; `now` in milliseconds since 1970."""
        said = f"{now + LIFE}.{prefix}".encode()
        return _MARK + base64.urlsafe_b64encode(self._signature(said) + said).rstrip(b"=").decode()

    def read(self, text: str, now: int) -> str | None:
        """The public part of the key that it was given for; None when it was not given here, or is over."""
        if not text.startswith(_MARK):
            return None
        try:
            body = text.removeprefix(_MARK).encode("ascii")
            raw = base64.b64decode(body + b"=" * (-len(body) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        signature, said = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(said)):
            return None
        until, _, prefix = said.decode().partition(".")
        return prefix if int(until) > now else None

    def _signature(self, said: bytes) -> bytes:
        return blake2b(said, key=self._key, digest_size=_SIGNATURE).digest()
