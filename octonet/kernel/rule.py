"""What is told of a replication rule."""

from __future__ import annotations

import msgspec


class Tally(msgspec.Struct, rename="camel"):
    """What became of the rows of one entity. `skipped` were there already, or lost against the other side's; `errors`
    were refused by the other project."""

    collection: str
    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    errors: int = 0


class RuleStats(msgspec.Struct, frozen=True, rename="camel"):
    """How a rule does. The counts are of all that it did since it was made; of one run where that was asked for."""

    rule_name: str
    last_sync: str | None = None
    """When something was last carried, ISO-8601."""
    records_synced: int = 0
    errors: int = 0
    duration: int = 0
    """Milliseconds of the last run."""
    details: tuple[Tally, ...] = ()
    state: str = "waiting"
    """`running` while a process carries it out, `waiting` while none does, `error` with the reason beside it."""
    reason: str = ""
    runner: str = ""
    position: dict[str, int] = {}
    """By project, the last log entry whose changes are carried."""
    lag_positions: int = 0
    lag: int = 0
    """Milliseconds: the age of the oldest entry that is not."""
    problems: tuple[str, ...] = ()
    """The last sentences that rows were refused with."""


class Counting:
    """Adds up what becomes of rows."""

    def __init__(self, before: RuleStats | None = None) -> None:
        self._by_entity = {} if before is None else {each.collection: each for each in before.details}
        self.problems: list[str] = [] if before is None else list(before.problems)

    def of(self, entity: str) -> Tally:
        """The tally to count in."""
        return self._by_entity.setdefault(entity, Tally(entity))

    def refused(self, entity: str, sentence: str) -> None:
        """A row was refused."""
        self.of(entity).errors += 1
        self.problems = [*self.problems, sentence][-10:]

    @property
    def details(self) -> tuple[Tally, ...]:
        """By entity."""
        return tuple(self._by_entity[name] for name in sorted(self._by_entity))

    @property
    def carried(self) -> int:
        """Rows that were changed."""
        return sum(each.created + each.updated + each.deleted for each in self._by_entity.values())

    @property
    def errors(self) -> int:
        """Rows that were refused."""
        return sum(each.errors for each in self._by_entity.values())
