"""Every dialect keeps books of what its tables follow, apart from everything else that is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octonet import dialects
from octonet.kernel.errors import Conflict
from octonet.kernel.ids import CommandId
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Remembered, Strategy
from tests.conformance.alteration_cases import PLAIN, follow, item, put, rows
from tests.conformance.dialect_cases import KNOWN, state, uri_of


@pytest.fixture(params=KNOWN)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    dialect = dialects.find(str(request.param))
    opened = await dialect.open(uri_of(str(request.param), tmp_path), PLAIN, DatabaseOptions())
    yield opened
    await opened.close()


async def test_the_books_stay_as_they_are_unless_a_mark_is_given(database: Database) -> None:
    await follow(database, PLAIN)
    assert (await database.follows()) is not None
    transaction = await database.begin()
    await transaction.move_checkpoint(Checkpoint(5, 6, b"d", "s"))
    await transaction.remember([Remembered(CommandId("c"), 5)])
    await transaction.commit()
    after = item({"name": {"type": "number", "required": True}})
    await follow(database, after, drop=True)
    assert await database.checkpoint() == Checkpoint(5, 6, b"d", "s")
    assert await database.recall(CommandId("c")) == 5
    followed = await database.follows()
    assert followed is not None
    assert (followed.digest, followed.source) == (after.digest, after.source)
    await database.migrate(PLAIN, Strategy.UPDATE, mark=Checkpoint(7, 8, b"e", PLAIN.digest))
    assert await database.checkpoint() == Checkpoint(7, 8, b"e", PLAIN.digest)
    await database.migrate(PLAIN, Strategy.VALIDATE)
    assert await database.follows() is not None


async def test_tables_that_somebody_else_looks_after_follow_nothing_known(database: Database) -> None:
    await database.migrate(PLAIN, Strategy.NONE)
    assert await database.follows() is None


async def test_validate_tells_of_another_type(database: Database) -> None:
    await follow(database, PLAIN)
    with pytest.raises(Conflict) as caught:
        await database.migrate(item({"name": {"type": "number"}}), Strategy.VALIDATE)
    assert [fault.path for fault in caught.value.faults] == ["items.name"]


async def test_tables_from_before_the_books_knew_their_schema_are_taken_as_they_are(tmp_path: Path) -> None:
    uri = uri_of("sqlite", tmp_path)
    database = await dialects.find("sqlite").open(uri, PLAIN, DatabaseOptions())
    await follow(database, PLAIN)
    await put(database, PLAIN, "a", name=None)
    await database.close()
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as file:
        file.execute("DROP TABLE octonet_schema")
    file.close()
    # Nobody knows whether the column ever refused nulls: rows that were good enough stay so.
    required = item({"name": {"type": "string", "required": True}, "size": {"type": "number"}})
    database = await dialects.find("sqlite").open(uri, required, DatabaseOptions())
    assert await database.follows() is None
    await follow(database, required)
    assert await rows(database, required) == [state(required.entities["Item"], "a")]
    await database.close()
