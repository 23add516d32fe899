"""Every dialect shows all of itself as it was at one moment; equal rows have equal hashes wherever they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from octonet import dialects
from octonet.kernel.ids import CommandId
from octonet.kernel.row_hash import row_hashes
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import Checkpoint, Contents, Database, DatabaseOptions, Remembered, Strategy
from tests.conformance.dialect_cases import ACCOUNT, KNOWN, PERSON, SCHEMAS, opened, stored, uri_of, write

MARK = Checkpoint(7, 5, b"\x01" * 32, "s")


async def test_a_snapshot_pages_through_rows_in_order_of_id(database: Database) -> None:
    people = [stored(PERSON, id, name=id, password="x", groups=["g1"]) for id in ("a", "B", "é", "z")]
    await write(database, PERSON, *people)
    async with database.snapshot() as snapshot:
        first = await snapshot.rows(PERSON, "", 2)
        rest = await snapshot.rows(PERSON, first[-1].id, 9)
        assert await snapshot.rows(PERSON, rest[-1].id, 9) == []
    assert [row.id for row in first + rest] == ["B", "a", "z", "é"]
    assert {row.id: row for row in first + rest} == {row.id: row for row in people}


async def test_a_snapshot_shows_soft_deleted_rows(database: Database) -> None:
    gone = stored(ACCOUNT, "u1", 2, email="Ada", deletedAt="2026-01-01T00:00:00.000Z")
    await write(database, ACCOUNT, gone)
    async with database.snapshot() as snapshot:
        assert await snapshot.rows(ACCOUNT, "", 9) == [gone]


async def test_a_snapshot_sees_nothing_that_is_written_later(database: Database) -> None:
    await write(database, ACCOUNT, stored(ACCOUNT, "u1", email="Ada"))
    async with database.snapshot() as snapshot:
        transaction = await database.begin()
        await transaction.insert(ACCOUNT, [stored(ACCOUNT, "u2", email="Bob")])
        await transaction.move_checkpoint(MARK)
        await transaction.remember([Remembered(CommandId("c1"), 7)])
        await transaction.commit()
        assert [row.id for row in await snapshot.rows(ACCOUNT, "", 9)] == ["u1"]
        assert await snapshot.checkpoint() == Checkpoint()
        assert await snapshot.remembered("", 9) == []
    async with database.snapshot() as snapshot:
        assert await snapshot.checkpoint() == MARK
        assert await snapshot.remembered("", 9) == [Remembered(CommandId("c1"), 7)]
        assert await snapshot.remembered("c1", 9) == []


async def test_equal_rows_have_equal_hashes_on_every_dialect(database: Database, tmp_path: Path) -> None:
    people = [
        stored(PERSON, id, name="Ada", age=age, settings={"b": 1, "a": [1.5, None]}, password="x", groups=["g1", "g2"])
        for id, age in (("p1", 30), ("p2", 2.5), ("p3", None))
    ]
    async with opened("sqlite", tmp_path / "other", SCHEMAS) as other:
        await write(database, PERSON, *people)
        await write(other, PERSON, *reversed(people))
        one, two = await row_hashes(database, SCHEMAS), await row_hashes(other, SCHEMAS)
        assert (one.differing(two), one.rows) == ([], 3)
        await write(other, ACCOUNT, stored(ACCOUNT, "u1", email="Ada"))
        assert one.differing(await row_hashes(other, SCHEMAS)) == ["Account"]


async def test_a_row_of_another_version_has_another_hash(database: Database, tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path / "other", SCHEMAS) as other:
        await write(database, ACCOUNT, stored(ACCOUNT, "u1", 1, email="Ada"))
        await write(other, ACCOUNT, stored(ACCOUNT, "u1", 2, email="Ada"))
        assert (await row_hashes(database, SCHEMAS)).differing(await row_hashes(other, SCHEMAS)) == ["Account"]


@pytest.mark.parametrize("dialect", KNOWN)
async def test_what_stands_in_a_database_is_told_before_anything_is_done_to_it(dialect: str, tmp_path: Path) -> None:
    database = await dialects.find(dialect).open(uri_of(dialect, tmp_path), SCHEMAS, DatabaseOptions())
    try:
        assert await database.contents() == Contents((), None)
        await database.migrate(SCHEMAS, Strategy.UPDATE)
        found = await database.contents()
        assert ({"people", "accounts"} <= set(found.tables), found.checkpoint) == (True, Checkpoint())
        await database.migrate(SCHEMAS, Strategy.UPDATE, mark=MARK)
        assert (await database.contents()).checkpoint == MARK
        followed = await database.follows()
        assert followed is not None
        assert followed.aside == ()
    finally:
        await database.close()


async def test_what_the_schema_gave_up_is_told_by_name(database: Database) -> None:
    entities = [entity for entity in json.loads(SCHEMAS.source) if entity["name"] == "Account"]
    del entities[0]["fields"]["balance"]
    less = parse(json.dumps(entities))
    await database.migrate(less, Strategy.UPDATE)
    followed = await database.follows()
    assert followed is not None
    assert {"accounts.balance", "people"} <= set(followed.aside)
    await database.migrate(less, Strategy.UPDATE, drop=True)
    followed = await database.follows()
    assert followed is not None
    assert followed.aside == ()
