"""How those who share a prefix keep out of each other's way, as data: by a lock that has a name, where readers look at
snapshots, or by turns at a table, where there is no snapshot (ADR-0028)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

TURN: Final = "octonet_turn"
"""The table of turns, behind the prefix. It belongs to no schema, and stays; a product's listings leave it out."""


class NamedLock(msgspec.Struct, frozen=True):
    """A lock of a session, which a commit does not give back."""

    take: Callable[[str, int], str]
    """The query that takes it, by its name, within so many seconds; it tells a number."""
    taken: Callable[[int], bool]
    """Whether that number says that the lock is ours."""
    give_back: Callable[[str], str]
    """The query that does."""


class Turns(msgspec.Struct, frozen=True):
    """A table that is locked as a whole: by readers, who share it, and by the writer, who has it alone. The lock ends
    with its transaction. In the statements ``{name}`` stands for the table's name, to be quoted there, and
    ``{seconds}`` for how long to wait."""

    make: str
    """Makes the table."""
    share: Sequence[str]
    """Take it together with other readers, in a transaction that was opened before; nothing where they look at
    snapshots."""
    own: Sequence[str]
    """Take it alone, likewise."""
    kept: frozenset[int]
    """Numbers of errors that say that somebody else had it for all of that time."""

    def of(self, prefix: str) -> Turns:
        """The same, for those who share this prefix."""
        return msgspec.structs.replace(
            self,
            make=_named(self.make, prefix),
            share=[_named(text, prefix) for text in self.share],
            own=[_named(text, prefix) for text in self.own],
        )

    def sharing(self, seconds: int) -> list[str]:
        """What a reader says."""
        return [_patient(text, seconds) for text in self.share]

    def owning(self, seconds: int) -> list[str]:
        """What the writer says."""
        return [_patient(text, seconds) for text in self.own]


def _named(text: str, prefix: str) -> str:
    return text.replace("{name}", prefix + TURN)


def _patient(text: str, seconds: int) -> str:
    return text.replace("{seconds}", str(seconds))
