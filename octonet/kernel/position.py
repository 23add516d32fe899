"""A place in a project's history: the log entry, and the fact inside it. Opaque to clients."""

from __future__ import annotations

import base64
import binascii

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.ids import ProjectName


class Position(msgspec.Struct, frozen=True, order=True, array_like=True):
    """After the fact number `index` (from 0) of log entry `entry` (from 1). Positions of one project are ordered."""

    entry: int
    index: int = 0


START = Position(0, 0)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encode(project: ProjectName, position: Position) -> str:
    """The token a client holds: URL-safe, without padding."""
    raw = f"{position.entry}.{position.index}.{project}".encode()
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()


def decode(project: ProjectName, token: str, path: str = "$.position") -> Position:
    """Read a token of this project; anything else is refused with `INVALID_POSITION`."""
    try:
        raw = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        entry, index, owner = raw.split(".", 2)
        position = Position(int(entry), int(index))
    except (ValueError, binascii.Error):
        raise invalid(path, "is not a position of this server", code="INVALID_POSITION") from None
    if owner != project or position.entry < 0 or position.index < 0:
        raise invalid(path, f"is not a position of project {project!r}", code="INVALID_POSITION")
    return position
