"""Where a page of a list ended. A cursor is good for the list that it came from, as long as that stays as it was."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeVar

from octonet.kernel.errors import OctonetError, invalid

PAGE: Final = 100
"""Entries of a page."""
_MARK: Final = 9
_T = TypeVar("_T")


def cut(entries: Sequence[_T], about: str, cursor: str | None) -> tuple[Sequence[_T], str | None]:
    """A page of a list, and the cursor of the next one; None behind the last. `about` tells this list, as it is now,
    from every other. Raises `Invalid` with code INVALID_CURSOR."""
    begin, following = bounds(len(entries), about, cursor)
    return entries[begin : begin + PAGE], following


def bounds(count: int, about: str, cursor: str | None) -> tuple[int, str | None]:
    """Where a page of a list of so many entries begins, and the cursor of the next one. Raises as `cut`."""
    begin = 0 if cursor is None else _read(cursor, about)
    if begin and begin >= count:
        raise _unknown()
    end = begin + PAGE
    return begin, _spell(end, about) if end < count else None


def _spell(offset: int, about: str) -> str:
    text = str(offset)
    mark = blake2b(f"{text} {about}".encode(), digest_size=_MARK).digest()
    return base64.urlsafe_b64encode(mark + text.encode()).decode()


def _read(cursor: str, about: str) -> int:
    try:
        offset = int(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)[_MARK:])
    except (ValueError, binascii.Error):
        raise _unknown() from None
    if offset < 1 or _spell(offset, about) != cursor:
        raise _unknown()
    return offset


def _unknown() -> OctonetError:
    return invalid("$.cursor", "is not a cursor of this list as it is now", code="INVALID_CURSOR")
