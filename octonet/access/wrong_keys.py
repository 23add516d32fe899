"""Keys that were found to be wrong: whoever tries one again and again costs no look-up.

They are kept apart from those that are right, so that a flood of wrong keys forgets wrong keys only.
"""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic
from typing import Final

_MOST: Final = 20_000
_KEPT: Final = 60.0
"""Seconds."""


class WrongKeys:
    """By their marks."""

    def __init__(self) -> None:
        # Not a dict: to find its oldest entry takes the longer, the more were taken from its front.
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __contains__(self, mark: bytes) -> bool:
        return self._until.get(mark, 0.0) > monotonic()

    def add(self, mark: bytes) -> None:
        """It is wrong, as far as is known now."""
        self._until.pop(mark, None)
        self._until[mark] = monotonic() + _KEPT
        if len(self._until) > _MOST:
            self._until.popitem(last=False)

    def clear(self) -> None:
        """Something changed: any of them may be right now."""
        self._until.clear()
