"""The tokens of sessions: what a browser holds, in a cookie, while somebody is logged in to the office.

A token is signed, so that a forged one costs no look at any database, and names a session of the system project: it is
good for as long as that is there. The token against forged requests (CSRF) is derived from it, and kept nowhere.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b
from typing import Final

from octonet.access import signed_text

_SIGNATURE: Final = 32
_SHORT: Final = 16
_LONGEST: Final = 512


class SessionTokens:
    """Gives and reads them. `key` (up to 64 bytes) is secret, and the same on every process."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def give(self, session: str, until: int) -> str:
        """A token for the session of this id; `until` in milliseconds since 1970. ASCII, fit for a cookie."""
        return signed_text.give(session, until, self._signature)

    def read(self, text: str, now: int) -> str | None:
        """The id of the session; None when the token was not given here, or is over."""
        return None if len(text) > _LONGEST else signed_text.read(text, now, _SIGNATURE, self._signature)

    def csrf(self, session: str) -> str:
        """What a request that changes something must show beside the cookie of this session."""
        return self._hash(b"csrf", session.encode(), _SHORT).hex()

    def is_csrf(self, session: str, shown: str) -> bool:
        """Whether this is what it must show."""
        return hmac.compare_digest(self.csrf(session).encode(), shown.encode("utf-8", "surrogateescape"))

    def mark(self, password: str) -> str:
        """Tells whether a stored password is still the one that a session began with. `password`: as it is stored."""
        return self._hash(b"mark", password.encode(), _SHORT).hex()

    def _signature(self, said: bytes) -> bytes:
        return self._hash(b"token", said, _SIGNATURE)

    def _hash(self, purpose: bytes, content: bytes, size: int) -> bytes:
        return blake2b(content, key=self._key, digest_size=size, person=purpose).digest()
