"""SQLite: which file, what when it is not there, and reads that never hold up the loop or outlive their caller."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from octonet import dialects
from octonet.dialects.engine.links import Reader
from octonet.dialects.engine.pool import Pool
from octonet.dialects.engine.sqlite_inline import InlineReads
from octonet.dialects.engine.sqlite_threads import open_reader
from octonet.kernel.errors import Internal, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, Options
from octonet.kernel.ids import EntityId
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from tests.conformance.dialect_cases import PERSON, SCHEMAS, USER, found, opened, stored, write

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


async def opened_at(uri: str) -> Database:
    return await dialects.find("sqlite").open(uri, SCHEMAS, DatabaseOptions())


async def answer(reader: Reader) -> object:
    return (await reader.rows("SELECT 42", ()))[0][0]


async def never(reader: Reader) -> object:
    return await reader.rows(ENDLESS, ())


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[str]:
    async with opened("sqlite", tmp_path):
        yield str(tmp_path / "data" / "octonet.db")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////{0}/a b/ü.db", "{0}/a b/ü.db"),
        ("sqlite:{0}/colon.db", "{0}/colon.db"),
        ("{0}/deep/er/plain", "{0}/deep/er/plain"),
        ("sqlite:///here.db", "{0}/here.db"),
        ("sqlite:here.db", "{0}/here.db"),
        ("here%20.db", "{0}/here%20.db"),
    ],
)
async def test_a_uri_names_a_file_which_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    database = await opened_at(uri.format(str(tmp_path).lstrip("/") if "////" in uri else tmp_path))
    await database.migrate(SCHEMAS, Strategy.UPDATE)
    assert await database.count(USER, EVERYTHING) == 0
    await database.close()
    assert Path(path.format(tmp_path)).is_file()


@pytest.mark.parametrize(
    "uri",
    ["", "sqlite:", "sqlite://", "sqlite:///", ":memory:", "sqlite::memory:", "sqlite:///:memory:", "sqlite://host/a.db",
     "sqlite:///a.db?mode=ro", "a\0b"],
)  # fmt: skip
async def test_a_uri_that_names_no_file_is_refused(uri: str) -> None:
    with pytest.raises(Invalid):
        await opened_at(uri)


async def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="directory"):
        await opened_at(str(tmp_path))


async def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match="cannot be made"):
        await opened_at(str(tmp_path / "file" / "a.db"))


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("a letter " * 1000)
    with pytest.raises(Invalid, match="not a SQLite database"):
        await opened_at(str(tmp_path / "a.db"))
    assert (tmp_path / "a.db").read_text() == "a letter " * 1000


async def test_tables_that_were_not_made_are_told_as_unavailable(tmp_path: Path) -> None:
    database = await opened_at(str(tmp_path / "a.db"))
    with pytest.raises(StorageUnavailable, match="not made yet"):
        await database.checkpoint()
    with pytest.raises(StorageUnavailable, match="not made yet"):
        await database.count(USER, EVERYTHING)
    await database.close()


async def test_a_closed_database_is_unavailable_and_may_be_closed_again(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as database:
        await database.close()
        with pytest.raises(StorageUnavailable):
            await database.get(PERSON, EntityId("p"), Options())
        with pytest.raises(StorageUnavailable):
            await database.count(PERSON, EVERYTHING)
        with pytest.raises(StorageUnavailable):
            await database.begin()


async def test_closing_rolls_an_open_transaction_back(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as database:
        transaction = await database.begin()
        await transaction.insert(USER, [stored(USER, "u", email="e")])
        await database.close()
        await transaction.rollback()
    async with opened("sqlite", tmp_path) as database:
        assert await database.count(USER, EVERYTHING) == 0


async def test_an_entity_the_database_was_not_opened_with_is_our_fault(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as database:
        with pytest.raises(Internal):
            await database.get(USER.__class__("Nobody", "nobodies"), EntityId("n"), Options())


async def test_foreign_keys_and_indexes_are_declared_for_whoever_reads_the_file(file: str) -> None:
    with sqlite3.connect(file) as other:
        keys = other.execute('SELECT "table", "from", "on_delete" FROM pragma_foreign_key_list(\'people\')').fetchall()
        indexes = other.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql <> '' ORDER BY name"
        ).fetchall()
    other.close()
    assert keys == [("people", "bossId", "SET NULL")]
    assert [name for (name,) in indexes] == [
        "idx_Order_order_ref", "idx_people_0", "idx_people_bossId_ref", "idx_people_groups_groupId", "idx_user_0",
        "uidx_accounts_email_softdelete", "uidx_user_email",
    ]  # fmt: skip


async def test_the_writer_waits_for_another_process_without_stopping_the_loop(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as database:
        other = sqlite3.connect(tmp_path / "data" / "octonet.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(database.begin())
        await asyncio.wait({waiting}, timeout=0.05)
        assert not waiting.done()
        with pytest.raises(Internal):
            await database.begin()
        other.execute("COMMIT")
        other.close()
        await (await waiting).rollback()


async def test_a_commit_of_another_connection_is_seen(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as owner, opened("sqlite", tmp_path) as replica:
        await write(owner, USER, stored(USER, "u", email="e"))
        assert await replica.get(USER, EntityId("u"), Options()) is not None
        assert await replica.count(USER, EVERYTHING) == 1


async def test_a_query_past_its_deadline_is_stopped_and_its_connection_serves_again(file: str) -> None:
    pool = Pool(lambda: open_reader(file, show_sql=False), size=1, timeout=0.1)
    for snapshot in (True, False):
        with pytest.raises(Unavailable) as refused:
            await pool.run(never, snapshot=snapshot)
        assert refused.value.code == "QUERY_TIMEOUT"
    patient = Pool(lambda: open_reader(file, show_sql=False), size=1, timeout=30)
    assert await patient.run(answer, snapshot=True) == 42
    await pool.close()
    await patient.close()


async def test_a_cancelled_caller_leaves_a_connection_that_serves_again(file: str) -> None:
    pool = Pool(lambda: open_reader(file, show_sql=False), size=1, timeout=30)
    for snapshot in (True, False):
        asked = asyncio.ensure_future(pool.run(never, snapshot=snapshot))
        await asyncio.wait({asked}, timeout=0.05)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await pool.run(answer, snapshot=snapshot) == 42
    await pool.close()


async def test_a_caller_cancelled_while_it_waits_for_a_connection_takes_none(file: str) -> None:
    pool = Pool(lambda: open_reader(file, show_sql=False), size=1, timeout=30)
    busy = asyncio.ensure_future(pool.run(never, snapshot=False))
    queued = [asyncio.ensure_future(pool.run(answer, snapshot=False)) for _ in range(3)]
    await asyncio.wait({busy}, timeout=0.05)
    queued[0].cancel()
    busy.cancel()
    assert await asyncio.gather(*queued[1:]) == [42, 42]
    assert queued[0].cancelled()
    await pool.close()


async def test_closing_the_pool_stops_what_is_running(file: str) -> None:
    pool = Pool(lambda: open_reader(file, show_sql=False), size=2, timeout=30)
    asked = [asyncio.ensure_future(pool.run(never, snapshot=True)) for _ in range(2)]
    await asyncio.wait(set(asked), timeout=0.05)
    await pool.close()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    with pytest.raises(StorageUnavailable):
        await pool.run(answer, snapshot=False)


async def test_a_failed_query_leaves_no_snapshot_open_behind_it(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as database:
        file = str(tmp_path / "data" / "octonet.db")
        pool = Pool(lambda: open_reader(file, show_sql=False), size=1, timeout=30)

        async def fails(reader: Reader) -> int:
            await reader.rows("SELECT count(*) FROM people", ())
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await pool.run(fails, snapshot=True)
        await write(database, PERSON, stored(PERSON, "p"))
        assert await pool.run(lambda reader: reader.rows("SELECT count(*) FROM people", ()), snapshot=True) == [(1,)]
        await pool.close()


async def test_a_short_read_that_turns_out_long_moves_to_a_thread(file: str) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    pool = Pool(lambda: open_reader(file, show_sql=False), size=1, timeout=30)
    reads = InlineReads(connection, pool, file, show_sql=False)
    readers: list[Reader] = []

    async def sums(reader: Reader) -> object:
        readers.append(reader)
        numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT ?) SELECT sum(x) FROM n"
        return (await reader.rows(numbers, (100 if len(readers) == 1 else 1_000_000,)))[0][0]

    assert await reads.short(sums, snapshot=True) == 5_050
    assert await reads.short(sums, snapshot=True) == 500_000_500_000
    assert [reader is reads for reader in readers] == [True, True, False]
    assert not connection.in_transaction
    await pool.close()
    connection.close()


async def test_a_read_that_was_long_once_is_not_tried_in_place_again_at_once(file: str) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    pool = Pool(lambda: open_reader(file, show_sql=False), size=1, timeout=30)
    reads = InlineReads(connection, pool, file, show_sql=False)
    readers: list[bool] = []
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT ?) SELECT sum(x) FROM n"

    async def sums(count: int, reader: Reader) -> object:
        readers.append(reader is reads)
        return (await reader.rows(numbers, (count,)))[0][0]

    for count in (100, 1_000_000, 100):
        wanted = count * (count + 1) // 2
        assert await reads.perhaps(partial(sums, count), numbers, snapshot=True) == wanted
    assert await reads.perhaps(partial(sums, 10), "other SQL", snapshot=True) == 55
    assert readers == [True, True, False, False, True]
    await pool.close()
    connection.close()


async def test_many_reads_and_a_writer_share_the_file(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path) as database:
        await write(database, PERSON, *(stored(PERSON, f"p{n}", name="x", groups=["g"]) for n in range(50)))

        async def rename(number: int) -> None:
            transaction = await database.begin()
            after = stored(PERSON, "p0", number + 2, name=f"n{number}", groups=[f"g{number}"])
            await transaction.update(PERSON, [(number + 1, after)])
            await transaction.commit()

        reading = [
            asyncio.ensure_future(found(database, PERSON, Compare("name", Comparison.GTE, ""))) for _ in range(20)
        ]
        for number in range(20):
            await rename(number)
            await asyncio.sleep(0)
        assert {len(answer) for answer in await asyncio.gather(*reading)} == {50}
        assert await database.version(PERSON, EntityId("p0")) == 21


async def test_shown_sql_holds_no_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "octonet.sql")
    async with opened("sqlite", tmp_path, options=DatabaseOptions(show_sql=True)) as database:
        await write(database, PERSON, stored(PERSON, "p", name="Ada", password="a secret"))
        assert await found(database, PERSON, Compare("name", Comparison.EQ, "Ada")) == ["p"]
    assert "INSERT INTO" in caplog.text
    assert "SELECT" in caplog.text
    assert "secret" not in caplog.text
    assert "Ada" not in caplog.text


async def test_what_is_asked_again_in_one_turn_is_read_once_and_never_older_than_a_commit(file: str) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    pool = Pool(partial(open_reader, file, False), 1, 5.0)
    reads = InlineReads(connection, pool, file, False)
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    question = "SELECT count(*) FROM people"

    async def count(reader: Reader) -> object:
        rows = await reader.rows(question, ())
        told = rows[0][0]
        rows.clear()
        return told

    assert [await reads.short(count, snapshot=False) for _ in range(3)] == [0, 0, 0]
    assert asked.count(question) == 1
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO people (id) VALUES ('p')")
    other.close()
    # Another process may be seen in the next turn; what this one commits ends the snapshot at once.
    assert await reads.short(count, snapshot=False) == 0
    reads.renew()
    assert await reads.short(count, snapshot=False) == 1
    await asyncio.sleep(0)
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO people (id) VALUES ('q')")
    other.close()
    assert await reads.short(count, snapshot=False) == 2
    await pool.close()
    connection.close()
