"""Snapshots that a worker takes by itself, beside the lane it owns."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from commands.engine.lane import Lane
from octonet.clock import now
from octonet.kernel.errors import OctonetError
from octonet.kernel.storage import Database
from octonet.snapshots.shelf import Shelf
from octonet.snapshots.taking import Taking

log = logging.getLogger("octonet.snapshots")

ROWS_AT_ONCE: Final = 200
"""Small pages: the lane goes first."""
_BREATH: Final = 0.01
_LOOK: Final = 1.0


class Keeper:
    """Takes one whenever the log has `every` entries more than the newest one (0: never); the newest `kept` stay."""

    def __init__(self, lane: Lane, database: Database, taking: Taking, shelf: Shelf, every: int, kept: int) -> None:
        self._lane = lane
        self._database = database
        self._taking = taking
        self._shelf = shelf
        self._every = every
        self._kept = kept

    async def run(self) -> None:
        """For ever, while this worker owns the lane. What goes wrong is logged, and tried again as many entries later:
        nobody's writes depend on it."""
        if self._every <= 0:
            return
        reached = self._shelf.reached()
        while True:
            await self._lane.owned.wait()
            await asyncio.sleep(_LOOK)
            if self._lane.mark.entry - reached >= self._every:
                reached = self._lane.mark.entry
                await self._take()

    async def _take(self) -> None:
        try:
            path, taken = await self._shelf.add(lambda out: self._taking.take(self._database, out, now()))
            self._shelf.keep(self._kept)
        except (OctonetError, OSError) as problem:
            log.warning("no snapshot could be taken: %s", problem)
        else:
            log.info("%s holds %d rows at log entry %d", path.name, taken.rows, taken.entry)


async def breathe() -> None:
    """Between two blocks."""
    await asyncio.sleep(_BREATH)
