"""JSON objects in which a name stands twice: readers differ in which of the two they believe; nobody gets to choose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from octonet.kernel.errors import invalid
from octonet.kernel.faults import quote

_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BLANKS: Final = b" \t\r\n"
_NESTED: Final = frozenset({dict, list})


class _Twice(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def check_unique(text: str | bytes, found: object, path: str = "$") -> None:
    """`found` was read from `text`. Raises `Invalid` with code DUPLICATE_MEMBER naming the member.

    Each member has a colon of its own: with as many colons as members there is nothing to look for. Where texts hold
    colons too, as times and addresses do, they are left out of the count. Only what is still too much is read again, to
    name the member.
    """
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    colons = raw.count(b":")
    if colons < 2:
        return
    members = _members(found)
    if members == colons or members == _names(raw) or members == _colons_between(raw):
        return
    try:
        json.loads(text, object_pairs_hook=_pairs, parse_int=str, parse_float=str)
    except _Twice as problem:
        sentence = f"the member {quote(problem.name)} stands there more than once"
        raise invalid(path, sentence, code="DUPLICATE_MEMBER") from None
    except (ValueError, RecursionError):
        # What one reader takes and the other does not is for the first to judge.
        return


def _names(raw: bytes) -> int:
    """The members, by the quote that ends each name and the colon behind it. A text in which the two stand together, or
    with blanks between them, makes the count too high, and nothing makes it too low."""
    return raw.translate(None, _BLANKS).count(b'":')


def _colons_between(raw: bytes) -> int:
    """The colons that stand in no text."""
    return _TEXT.sub(b"", raw).count(b":")


def _members(found: object) -> int:
    inside: Iterable[object]
    if isinstance(found, dict):
        count, inside = len(found), found.values()
    elif isinstance(found, list):
        count, inside = 0, found
    else:
        return 0
    for value in inside:
        if type(value) in _NESTED:
            count += _members(value)
    return count


def _pairs(pairs: list[tuple[str, object]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Twice(name)
            seen.add(name)
