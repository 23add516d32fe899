"""How the owner of a lane, a replay and a replica bring a database up to the log: the port of the fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from octonet.kernel.chain import Link
from octonet.kernel.log import Outcome
from octonet.kernel.storage import Checkpoint


class CatchUp(Protocol):
    """The fold of one project's log into one database."""

    async def catch_up(self, until: int, tell: Callable[[Link], None]) -> Checkpoint:
        """Fold from the database's checkpoint up to and including log sequence `until`; `tell` hears of each entry
        after its commit. Returns where the log stands at `until`. Raises `LogGap` when the database is ahead of the
        log, or history is missing; `StorageUnavailable` when the database is away."""
        ...

    async def outcomes(self, entry: int) -> list[Outcome]:
        """The outcomes that the log entry at this sequence holds."""
        ...
