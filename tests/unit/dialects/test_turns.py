"""Where a database has no snapshot, readers and the writer take turns; PostgreSQL, which has locks of tables, is taken
for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from octonet.dialects.engine.dbapi_database import DbapiDatabase
from octonet.dialects.engine.dbapi_server import Held, Server
from octonet.dialects.engine.dbapi_writer import DbapiWriting
from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.links import Reader
from octonet.dialects.engine.model import build
from octonet.kernel.errors import StorageUnavailable, Unavailable
from octonet.kernel.filter import EVERYTHING, Options
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.storage import Checkpoint, DatabaseOptions, Remembered, Strategy
from tests.conformance.dialect_cases import GROUP, PERSON, SCHEMAS, ids, page, stored, uri_of, write
from tests.postgres_turns import GRAMMAR, LISTINGS, LOCKS_HERE, PRODUCT, reads, waits

_COUNT = 'SELECT COUNT(*) FROM "groups"'


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return uri_of("postgres", tmp_path)


def server_of(uri: str) -> Server:
    return Server(uri, False, PRODUCT, "")


async def opened_at(uri: str, **options: object) -> DbapiDatabase:
    told = DatabaseOptions(**options)  # type: ignore[arg-type]
    model = build(SCHEMAS, GRAMMAR, told.table_prefix)
    database = await DbapiDatabase(GRAMMAR, LISTINGS, server_of(uri), model, told).opened()
    await database.migrate(SCHEMAS, Strategy.UPDATE)
    return database


@pytest.fixture
async def database(uri: str) -> AsyncIterator[DbapiDatabase]:
    database = await opened_at(uri)
    yield database
    await database.close()


async def test_who_reads_between_two_statements_of_a_writer_waits_and_sees_all_of_it(
    database: DbapiDatabase, uri: str
) -> None:
    transaction = await database.begin()
    await transaction.insert(PERSON, [stored(PERSON, "a", groups=["g"])])
    whole = asyncio.create_task(database.select(PERSON, page()))
    counted = asyncio.create_task(database.count(PERSON, EVERYTHING))
    paired = asyncio.create_task(database.pairs(PERSON, PERSON.links[0], [EntityId("a"), EntityId("b")]))
    await waits(uri, for_writing=False)
    await transaction.insert(PERSON, [stored(PERSON, "b", groups=["g"])])
    await transaction.commit()
    assert [(row["id"], row["groups"]) for row in await whole] == [("a", ["g"]), ("b", ["g"])]
    assert await counted == 2
    assert await paired == [("a", "g"), ("b", "g")]


async def test_nothing_is_committed_between_two_statements_of_a_reader(database: DbapiDatabase, uri: str) -> None:
    writing: list[asyncio.Task[None]] = []

    async def twice(reader: Reader) -> list[object]:
        before = await reader.rows(_COUNT, ())
        writing.append(asyncio.create_task(write(database, GROUP, stored(GROUP, "g"))))
        await waits(uri, for_writing=True)
        return [before, await reader.rows(_COUNT, ())]

    held = Held(server_of(uri), DatabaseOptions())
    assert await held.within_snapshot(twice) == [[(0,)], [(0,)]]
    await writing[0]
    assert await held.within_snapshot(lambda reader: reader.rows(_COUNT, ())) == [(1,)]
    await held.close()


async def test_readers_read_together(database: DbapiDatabase, uri: str) -> None:
    async def and_another(reader: Reader) -> int:
        return await database.count(GROUP, EVERYTHING)

    held = Held(server_of(uri), DatabaseOptions())
    assert await held.within_snapshot(and_another) == 0
    await held.close()


async def test_what_is_one_row_is_read_while_somebody_writes(database: DbapiDatabase) -> None:
    await write(database, GROUP, stored(GROUP, "g", title="t"))
    transaction = await database.begin()
    await transaction.insert(GROUP, [stored(GROUP, "h")])
    assert await database.get(GROUP, EntityId("g"), Options()) == stored(GROUP, "g", title="t")
    assert await database.get(GROUP, EntityId("h"), Options()) is None
    assert await database.checkpoint() == Checkpoint()
    followed = await database.follows()
    assert followed is not None
    assert followed.digest == SCHEMAS.digest
    await transaction.rollback()


async def test_a_reader_that_is_given_up_keeps_its_turn_no_longer_than_its_deadline(
    database: DbapiDatabase, uri: str
) -> None:
    held = Held(server_of(uri), DatabaseOptions(query_timeout=0.1))
    slow = asyncio.create_task(held.within_snapshot(_forever))
    await reads(uri)
    slow.cancel()
    await asyncio.wait({slow})
    await held.tidy()
    await write(database, GROUP, stored(GROUP, "g"))


async def _forever(reader: Reader) -> None:
    await reader.rows("SELECT pg_sleep(600)", ())


async def test_a_writer_waits_as_long_as_a_read_may_take_and_says_who_keeps_it(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
    database = await opened_at(uri, query_timeout=1.0)
    other = await opened_at(uri, query_timeout=1.0)
    transaction = await database.begin()
    with pytest.raises(StorageUnavailable, match="others keep their turn"):
        await other.begin()
    with pytest.raises(Unavailable) as late:
        await other.count(GROUP, EVERYTHING)
    assert late.value.code == "QUERY_TIMEOUT"
    await transaction.rollback()
    await (await other.begin()).rollback()
    for each in (database, other):
        await each.close()


async def test_those_of_other_prefixes_are_not_waited_for(database: DbapiDatabase, uri: str) -> None:
    other = await opened_at(uri, table_prefix="p_")
    transaction = await database.begin()
    await write(other, GROUP, stored(GROUP, "g"))
    assert ids(await other.select(GROUP, page())) == ["g"]
    await transaction.rollback()
    await other.close()


async def test_a_snapshot_is_of_one_moment_and_the_writer_goes_on_while_it_is_read(database: DbapiDatabase) -> None:
    people = [stored(PERSON, id, 3, name=id, settings={"a": [1.5, None]}, groups=["g"]) for id in ("a", "B", "é")]
    await write(database, PERSON, *people)
    async with database.snapshot() as snapshot:
        transaction = await database.begin()
        await transaction.delete(PERSON, [EntityId("a")])
        await transaction.remember([Remembered(CommandId("c"), 7)])
        await transaction.move_checkpoint(Checkpoint(7, 5, b"\x01" * 32, "s"))
        await transaction.commit()
        assert await snapshot.rows(PERSON, "", 2) == [people[1], people[0]]
        assert await snapshot.rows(PERSON, "a", 9) == [people[2]]
        assert (await snapshot.checkpoint(), await snapshot.remembered("", 9)) == (Checkpoint(), [])
    async with database.snapshot() as snapshot:
        assert await snapshot.remembered("", 9) == [Remembered(CommandId("c"), 7)]
        assert (await snapshot.checkpoint()).entry == 7


async def test_a_migration_that_commits_each_definition_keeps_its_turn_all_the_same(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
    options = DatabaseOptions(query_timeout=0.5)
    model = build(SCHEMAS, GRAMMAR)
    migrating, other = (DbapiWriting(server_of(uri), options, commits=True) for _ in range(2))
    writer = await migrating.writer(model, migrating=True)
    await writer.run("CREATE TABLE undone (a INTEGER)")
    await writer.reset()
    await writer.define("CREATE TABLE done (a INTEGER)")
    with pytest.raises(StorageUnavailable, match="others keep their turn"):
        await other.writer(model, migrating=False)
    await writer.run("INSERT INTO done VALUES (1)")
    await writer.settle()
    await writer.run("INSERT INTO done VALUES (2)")
    await writer.rollback()
    writer = await other.writer(model, migrating=False)
    assert await writer.rows("SELECT a FROM done", ()) == [(1,)]
    assert await writer.rows("SELECT to_regclass('undone') IS NULL", ()) == [(True,)]
    await writer.rollback()
    for each in (migrating, other):
        await each.close()


async def test_a_migration_that_lost_its_turn_does_nothing_more(uri: str) -> None:
    writing = DbapiWriting(server_of(uri), DatabaseOptions(), commits=True)
    writer = await writing.writer(build(SCHEMAS, GRAMMAR), migrating=True)
    connection = await asyncpg.connect(uri)
    await connection.execute(f"SELECT pg_terminate_backend(pid) FROM {LOCKS_HERE} AND mode = 'ExclusiveLock'")
    with pytest.raises(Lost, match="lost its turn"):
        await writer.define("CREATE TABLE done (a INTEGER)")
    assert await connection.fetchval("SELECT to_regclass('done')") is None
    await connection.close()
    await writer.rollback()
    await writing.close()
