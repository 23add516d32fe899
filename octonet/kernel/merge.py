"""How a row converges that two projects write to: a register in which the greatest stamp wins.

Each project's log gives every fact of a row a stamp. A write that was decided there gets one above all that the row
had there before; a state that a rule carried there keeps the stamp it came with. So on both sides the row's stamps
rise, no two writes share one, and both end with the state of the greatest, whatever order they are told in. Which
write of two that did not know of each other has the greater stamp is what the ways of resolution differ in.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final, TypeAlias

import msgspec

Stamp: TypeAlias = tuple[int, int]
"""Compared member by member."""

NEVER: Final[Stamp] = (0, 0)
"""Of a row that was never there."""


class Mode(StrEnum):
    """What a replication rule does."""

    SNAPSHOT = "snapshot"
    """Makes the target what the source is, whenever it is asked to."""
    CDC = "cdc"
    """Carries every change of the source."""
    BIDIRECTIONAL = "bidirectional"
    """Carries every change of either."""


class Resolution(StrEnum):
    """Which of two changes stays, that did not know of each other."""

    SOURCE_WINS = "source-wins"
    TARGET_WINS = "target-wins"
    TIMESTAMP = "timestamp"


class Side(IntEnum):
    """The two projects of a rule."""

    SOURCE = 0
    TARGET = 1

    @property
    def other(self) -> Side:
        """The one across."""
        return Side(1 - self)


class Clock(msgspec.Struct, frozen=True):
    """Gives the stamps of a rule between two projects. `later` is the side whose name is later in the alphabet: of two
    writes in the same millisecond its own wins."""

    resolution: Resolution
    later: Side

    def stamp(self, side: Side, before: Stamp, at: int) -> Stamp:
        """Of a write that was decided on this side, at `at` in milliseconds since 1970, over a state stamped `before`.

        By time: a write that saw another one is later than that, whatever the clocks said. Otherwise the first member
        counts the writes of the side that wins, the second those of the other side since.
        """
        if self.resolution is Resolution.TIMESTAMP:
            return max(at, before[0] + 1), int(side is self.later)
        if side is self.winner:
            return before[0] + 1, 0
        return before[0], before[1] + 1

    @property
    def winner(self) -> Side | None:
        """The side that wins whenever neither knew of the other; None where times decide."""
        if self.resolution is Resolution.TIMESTAMP:
            return None
        return Side.SOURCE if self.resolution is Resolution.SOURCE_WINS else Side.TARGET
