"""Positions as whole numbers, in the same order."""

from __future__ import annotations

from typing import Final

from octonet.kernel.position import Position

_INDEX_BITS: Final = 24
"""An entry with more facts would not fit into memory when it is decided."""
_MASK: Final = (1 << _INDEX_BITS) - 1


def place(position: Position) -> int:
    """Of the fact at this position; an index out of range is the entry's last."""
    return position.entry << _INDEX_BITS | min(position.index, _MASK)


def end_of(entry: int) -> int:
    """The place behind which the next entry begins."""
    return entry << _INDEX_BITS | _MASK


def position(place: int) -> Position:
    """The position of the fact at this place."""
    return Position(place >> _INDEX_BITS, place & _MASK)


def entry(place: int) -> int:
    """The log entry in which the place is."""
    return place >> _INDEX_BITS
