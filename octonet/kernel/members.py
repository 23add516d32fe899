"""JSON objects in which a name stands twice: readers differ in which of the two they believe; nobody gets to choose."""

from __future__ import annotations

import json

from octonet.kernel.errors import invalid
from octonet.kernel.faults import quote


class _Twice(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def check_unique(text: str | bytes, found: object, path: str = "$") -> None:
    """`found` was read from `text`. Raises `Invalid` with code DUPLICATE_MEMBER naming the member.

    Each member has a colon of its own: with as many colons as members there is nothing to look for. Only where values
    hold colons too is the text read again.
    """
    colons = text.count(b":") if isinstance(text, bytes) else text.count(":")
    if colons < 2 or colons == _members(found):
        return
    try:
        json.loads(text, object_pairs_hook=_pairs, parse_int=str, parse_float=str)
    except _Twice as problem:
        sentence = f"the member {quote(problem.name)} stands there more than once"
        raise invalid(path, sentence, code="DUPLICATE_MEMBER") from None
    except (ValueError, RecursionError):
        # What one reader takes and the other does not is for the first to judge.
        return


def _members(found: object) -> int:
    if type(found) is dict:
        return len(found) + sum(_members(value) for value in found.values() if type(value) in (dict, list))
    if type(found) is list:
        return sum(_members(value) for value in found if type(value) in (dict, list))
    return 0


def _pairs(pairs: list[tuple[str, object]]) -> None:
    names = {name for name, _ in pairs}
    if len(names) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Twice(name)
            seen.add(name)
