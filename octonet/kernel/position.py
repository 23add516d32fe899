"""A place in a project's history: the log entry, and the fact inside it. Opaque to clients, and signed: a position that
this installation did not give out is refused instead of being waited for."""

from __future__ import annotations

import base64
import binascii
import hmac
from functools import lru_cache
from hashlib import blake2b

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.ids import ProjectName


class Position(msgspec.Struct, frozen=True, order=True, array_like=True):
    """After the fact number `index` (from 0) of log entry `entry` (from 1). Positions of one project are ordered."""

    entry: int
    index: int = 0


START = Position(0, 0)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_SIGNATURE = 8
"""Bytes: enough against guessing, short enough for a header of every fact."""
_SPELLED = 4096


class Positions:
    """How the positions of one project are spelled. `key` (up to 64 bytes) signs them."""

    __slots__ = ("_keyed", "_spelled", "project")

    def __init__(self, project: ProjectName, key: bytes) -> None:
        self.project = project
        self._keyed = blake2b(project.encode(), key=key, digest_size=_SIGNATURE)
        # A position is spelled for whoever wrote, and again for whoever hears of it.
        self._spelled = lru_cache(_SPELLED)(self._spell)

    def encode(self, position: Position) -> str:
        """The token a client holds: URL-safe, without padding. Its first letter is never a dash, which a command line
        would take for an option."""
        return self._spelled(position)

    def _spell(self, position: Position) -> str:
        raw = b"%d.%d" % (position.entry, position.index)
        return binascii.b2a_base64(raw + self._signature(raw), newline=False).rstrip(b"=").translate(_URL_SAFE).decode()

    def decode(self, token: str, path: str = "$.position") -> Position:
        """Read a token of this project; anything else is refused with `INVALID_POSITION`."""
        try:
            raw = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
            text, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
            entry, index = text.split(b".")
            position = Position(int(entry), int(index))
        except (ValueError, binascii.Error):
            raise invalid(path, "is not a position of this server", code="INVALID_POSITION") from None
        # One spelling for each position: what is signed is what was read.
        if not hmac.compare_digest(signature, self._signature(text)) or self.encode(position) != token:
            raise invalid(path, f"is not a position of project {self.project!r}", code="INVALID_POSITION")
        return position

    def _signature(self, raw: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(raw)
        return keyed.digest()
