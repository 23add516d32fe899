"""Whether a database stands where its lane left it.

One that was killed, or brought back from a copy, may have forgotten commits. The log was synced before each of them,
and has them all; but what is decided over such a database is decided over rows that are not there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from octonet.kernel.errors import StorageUnavailable, Unavailable
from octonet.kernel.storage import Checkpoint, Database, Transaction

log = logging.getLogger("octonet.lane")

_EVERY: Final = 3.0
"""Seconds between two looks."""


async def check_place(transaction: Transaction, mark: Checkpoint) -> None:
    """Before anything is decided in this transaction. Raises `StorageUnavailable` where the database does not stand at
    `mark`."""
    found = await transaction.checkpoint()
    if found != mark:
        raise StorageUnavailable(_told(found, mark))


async def watch_place(
    database: Database, deciding: asyncio.Lock, mark: Callable[[], Checkpoint], moved: Callable[[], None]
) -> None:
    """Look now and then, while nothing is decided, and call `moved` once: where nobody writes, nobody else would notice
    that rows are missing."""
    while True:
        await asyncio.sleep(_EVERY)
        async with deciding:
            try:
                found = await database.checkpoint()
            except Unavailable as problem:
                log.debug("the database cannot be asked where it stands: %s", problem)
                continue
            if found != mark():
                log.warning("%s", _told(found, mark()))
                moved()
                return


def _told(found: Checkpoint, mark: Checkpoint) -> str:
    return f"the database stands at log entry {found.entry} and was left at {mark.entry}: the log is folded from there"
