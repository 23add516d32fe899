"""Whether a database that was filled beside the live one holds the same rows, at one entry of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from octonet.beside import open_live
from octonet.config import Settings
from octonet.kernel.errors import Unavailable
from octonet.kernel.row_hash import RowHashes, row_hashes
from octonet.kernel.storage import Database, Strategy
from octonet.projects_tree import ProjectSettings
from octonet.watched_progress import Progress

_TRIES: Final = 5
_LIVE_WITHIN: Final = 30.0
_LOOK: Final = 0.05


class Proof(msgspec.Struct, frozen=True):
    """What the live database holds, and the entities of which the other one holds something else, by name."""

    live: RowHashes
    differing: list[str]


async def prove(
    settings: Settings,
    project: ProjectSettings,
    database: Database,
    fold: Callable[[int], Awaitable[None]],
    progress: Progress,
) -> Proof:
    """Hash what the live database holds at one moment, fold the other one to just that entry, and hash it, too. Raises
    `Unavailable` where the live one stands before the other, or its schema is being changed."""
    for _ in range(_TRIES):
        live, schemas = await open_live(settings, project)
        try:
            await _reached(live, (await database.checkpoint()).entry)
            progress.begin("read the live database", "row", 0, 0)
            there = await row_hashes(live, schemas, progress.add)
        finally:
            await live.close()
        await fold(there.checkpoint.entry)
        followed = await database.follows()
        if there.checkpoint.schema == schemas.digest == (followed.digest if followed else ""):
            break
    else:
        raise Unavailable("the schema of the project is being changed: try again when that is over")
    await database.migrate(schemas, Strategy.UPDATE)
    progress.begin("read the new database", "row", 0, there.rows)
    here = await row_hashes(database, schemas, progress.add)
    return Proof(there, here.differing(there))


async def _reached(live: Database, wanted: int) -> None:
    """Wait until the live database is as far as the new one."""
    try:
        async with asyncio.timeout(_LIVE_WITHIN):
            while (await live.checkpoint()).entry < wanted:
                await asyncio.sleep(_LOOK)
    except TimeoutError:
        raise Unavailable(
            f"the live database does not follow the log: it stands before entry {wanted}. Is a worker running? "
            "With --unproved the log is believed"
        ) from None
