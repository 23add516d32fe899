"""Visitors who were let in a moment ago, found by what they show: nearly every request of a program is like the one
before it, and then costs one look into a dictionary.

The texts of keys are in it, for as long as they may be relied upon. Nobody can find one out by how long a wrong one
takes: Python compares texts only where their hashes are the same, 64 bits made with a secret of this process.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from time import monotonic
from typing import Final, TypeAlias

from octonet.access.principal import Visitor

_MOST: Final = 20_000
_LOOK: Final = 2
"""How many of the oldest are looked at whenever one is added."""

Shown: TypeAlias = tuple[str, str, str]
"""A key, the transport that it was shown to, and the address that it came from."""


class Acquaintances:
    """Only who was verified is ever in it, so that no flood of wrong keys can push anybody out."""

    def __init__(self) -> None:
        self._met: OrderedDict[Shown, Visitor] = OrderedDict()
        self.find = self._met.get
        """The visitor, whose principal says whether that still counts; None for strangers."""

    def add(self, shown: Shown, visitor: Visitor) -> None:
        """Know them from now on, and forget the oldest who do not count any more."""
        met, now = self._met, monotonic()
        met.pop(shown, None)
        met[shown] = visitor
        for first in list(islice(met, _LOOK)):
            if len(met) > _MOST or met[first].principal.until <= now:
                del met[first]
