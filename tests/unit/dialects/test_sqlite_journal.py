"""Several processes may be the first to open the same database."""

from __future__ import annotations

import asyncio
from multiprocessing.synchronize import Barrier
from pathlib import Path

from octonet import dialects
from octonet.kernel.storage import DatabaseOptions
from tests.conformance.dialect_cases import SCHEMAS
from tests.forked import at_once

AT_ONCE = 8
FILES = 60


def _open_all(directory: Path, gate: Barrier) -> None:
    async def one(path: Path) -> None:
        database = await dialects.find("sqlite").open(f"sqlite:///{path}", SCHEMAS, DatabaseOptions())
        await database.close()

    for number in range(FILES):
        gate.wait(60)
        asyncio.run(one(directory / f"{number}.db"))


def test_a_database_that_several_processes_make_at_once_is_there_for_all_of_them(tmp_path: Path) -> None:
    assert at_once(AT_ONCE, _open_all, tmp_path) == [0] * AT_ONCE
