"""Tickets: what a browser puts into an address where it can send no header (WebSocket, SSE), instead of a key.

A ticket is signed, names the key it was given for, and is good for half a minute: long enough to connect, too short to
be worth finding in a log.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from octonet.access import signed_text

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
        return _MARK + signed_text.give(prefix, now + LIFE, self._signature)

    def read(self, text: str, now: int) -> str | None:
        """The public part of the key that it was given for; None when it was not given here, or is over."""
        if not text.startswith(_MARK):
            return None
        return signed_text.read(text.removeprefix(_MARK), now, _SIGNATURE, self._signature)

    def _signature(self, said: bytes) -> bytes:
        return blake2b(said, key=self._key, digest_size=_SIGNATURE).digest()
