"""HSQLDB: calls that hang, lost connections, restarted servers, writers that take turns, addresses, what is missing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet import dialects
from octonet.dialects.engine import blocking
from octonet.dialects.engine.blocking import OwnThread
from octonet.dialects.engine.held_reads import HeldReads
from octonet.dialects.engine.hsqldb_held import Held
from octonet.dialects.engine.hsqldb_server import Server
from octonet.dialects.engine.letters import kept, told
from octonet.kernel.errors import Internal, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, Like, Options, Order, Wild, Wildcard
from octonet.kernel.filter import Literal as Letters
from octonet.kernel.ids import EntityId
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Strategy
from tests import hsqldb
from tests.conformance.alteration_cases import follow, item, put, rows
from tests.conformance.dialect_cases import (
    PERSON,
    SCHEMAS,
    USER,
    found,
    opened,
    row_of,
    stored,
    uri_of,
    write,
)
from tests.running import ROOT
from tests.unit.dialects.server_sites import healed

LONG: Final = "SELECT COUNT(*) FROM N AS a, N AS b, N AS c WHERE a.X + b.X + c.X < 0"
ONE: Final = "SELECT 42 FROM (VALUES(0))"


@pytest.fixture(autouse=True, scope="module")
def _server() -> None:
    if reason := hsqldb.missing():
        pytest.skip(reason)


async def opened_at(uri: str, **options: float) -> Database:
    return await dialects.find("hsqldb").open(uri, SCHEMAS, DatabaseOptions(**options))  # type: ignore[arg-type]


def sql(folder: Path, text: str) -> str:
    return hsqldb.server().sql(text, uri_of("hsqldb", folder).rpartition("/")[2])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("hsqldb", tmp_path) as database:
        yield database


def numbers(folder: Path) -> None:
    """What a long query is about."""
    sql(folder, "CREATE TABLE N (X INTEGER); INSERT INTO N SELECT x FROM UNNEST(SEQUENCE_ARRAY(1, 3000, 1)) AS s(x)")


def reading(folder: Path, size: int, timeout: float) -> HeldReads:
    server = Server(uri_of("hsqldb", folder), False)
    return HeldReads(lambda: Held(server, timeout), size, timeout)


# Calls that hang


async def test_a_call_that_hangs_is_counted_until_it_returns_and_what_it_used_is_closed() -> None:
    before, gate, closed = blocking.hung(), threading.Event(), threading.Event()
    thread = OwnThread("test")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await thread.run(gate.wait)
    thread.end(closed.set)
    assert (blocking.hung(), closed.is_set()) == (before + 1, False)
    assert await OwnThread("test").run(lambda: 42) == 42
    gate.set()
    async with asyncio.timeout(30):
        while blocking.hung() > before:
            await asyncio.sleep(0.01)
    assert closed.is_set()


async def test_no_more_than_so_many_calls_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "MOST_HUNG", blocking.hung() + 1)
    gate = threading.Event()
    hanging = asyncio.ensure_future(OwnThread("test").run(gate.wait))
    await asyncio.sleep(0)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    with pytest.raises(StorageUnavailable, match="hang"):
        await OwnThread("test").run(lambda: 42)
    gate.set()


async def test_what_a_call_raises_is_raised_where_it_is_waited_for() -> None:
    thread = OwnThread("test")
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    assert await thread.run(lambda: 42) == 42
    thread.end()


async def test_a_query_past_its_deadline_is_stopped_on_the_server_too(tmp_path: Path) -> None:
    numbers(tmp_path)
    reads = reading(tmp_path, 1, 1.0)
    for snapshot in (True, False):
        with pytest.raises(Unavailable) as refused:
            await reads.long(lambda reader: reader.rows(LONG, ()), snapshot=snapshot)
        assert refused.value.code == "QUERY_TIMEOUT"
    async with asyncio.timeout(30):
        while "FROM N AS a" in sql(tmp_path, "SELECT CURRENT_STATEMENT FROM INFORMATION_SCHEMA.SYSTEM_SESSIONS"):
            await asyncio.sleep(0.05)
        while await _refused(reads):
            await asyncio.sleep(0.05)
    await reads.close()


async def _refused(reads: HeldReads) -> bool:
    try:
        return await reads.long(lambda reader: reader.rows(ONE, ()), snapshot=False) != [(42,)]
    except Unavailable:
        return True


async def test_a_server_that_stops_answering_holds_up_no_caller_beyond_the_deadline(tmp_path: Path) -> None:
    reads, server = reading(tmp_path, 2, 1.0), hsqldb.server()
    assert await reads.long(lambda reader: reader.rows(ONE, ()), snapshot=False) == [(42,)]
    server.pause()
    try:
        asked = [reads.long(lambda reader: reader.rows(ONE, ()), snapshot=True) for _ in range(4)]
        async with asyncio.timeout(30):
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(outcome, Unavailable | StorageUnavailable) for outcome in outcomes), outcomes
    finally:
        server.resume()
    async with asyncio.timeout(30):
        while await _refused(reads):
            await asyncio.sleep(0.05)
    await reads.close()


async def test_closing_stops_what_is_running_and_lets_nobody_in(tmp_path: Path) -> None:
    numbers(tmp_path)
    reads = reading(tmp_path, 2, 30)
    asked = [asyncio.ensure_future(reads.long(lambda reader: reader.rows(LONG, ()), snapshot=True)) for _ in range(3)]
    await asyncio.wait(set(asked), timeout=0.5)
    await reads.close()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(result, StorageUnavailable) for result in results), results
    with pytest.raises(StorageUnavailable, match="closed"):
        await reads.one(ONE, ())


# Lost connections


async def test_everything_heals_after_the_server_was_restarted(database: Database) -> None:
    await write(database, USER, *(stored(USER, f"u{n}", email=f"e{n}") for n in range(20)))
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "new", email="new")])
    with hsqldb.server().away():
        with pytest.raises(StorageUnavailable):
            await transaction.move_checkpoint(Checkpoint(1, 1))
        with pytest.raises(StorageUnavailable):
            await transaction.commit()
        with pytest.raises(StorageUnavailable, match="is HSQLDB running"):
            await database.begin()
    assert await healed(lambda: database.count(USER, EVERYTHING)) == 20
    await (await healed(database.begin)).rollback()
    await write(database, USER, stored(USER, "new", email="new"))


# Writers


async def test_writers_of_one_prefix_take_turns_and_those_of_another_do_not_wait(
    tmp_path: Path, database: Database
) -> None:
    other = DatabaseOptions(table_prefix="o'ther_")
    async with opened("hsqldb", tmp_path) as second, opened("hsqldb", tmp_path, options=other) as third:
        transaction = await database.begin()
        await transaction.move_checkpoint(Checkpoint(7, 7))
        waiting = asyncio.ensure_future(second.begin())
        await (await third.begin()).rollback()
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
        with pytest.raises(Internal):
            await second.begin()
        await transaction.commit()
        after = await waiting
        assert await after.checkpoint() == Checkpoint(7, 7)
        await after.rollback()


async def test_the_turn_of_a_migration_that_died_is_taken_over(tmp_path: Path, database: Database) -> None:
    sql(tmp_path, "UPDATE OCTONET.TURNS SET HOLDER = '1/2001-01-01 00:00:00'")
    await write(database, USER, stored(USER, "u", email="e"))
    assert sql(tmp_path, "SELECT HOLDER FROM OCTONET.TURNS") == ""


async def test_several_that_migrate_at_once_all_succeed(tmp_path: Path) -> None:
    several = [await opened_at(uri_of("hsqldb", tmp_path)) for _ in range(3)]
    await asyncio.gather(*(database.migrate(SCHEMAS, Strategy.UPDATE) for database in several))
    await write(several[0], USER, stored(USER, "u", email="e"))
    assert await several[2].count(USER, EVERYTHING) == 1
    for database in several:
        await database.close()


async def test_a_writer_sends_no_values_of_types_that_another_process_has_changed(tmp_path: Path) -> None:
    numbers, texts = item({"v": {"type": "number"}}), item({"v": {"type": "string"}})
    uri = uri_of("hsqldb", tmp_path)
    first, second = [await dialects.find("hsqldb").open(uri, numbers, DatabaseOptions()) for _ in range(2)]
    await follow(first, numbers)
    await put(first, numbers, "a", v=30)
    await follow(second, texts)
    await follow(first, texts)
    await put(first, texts, "b", v="30")
    await follow(second, numbers)
    await follow(second, texts)
    await put(first, texts, "c", v="é")
    assert [row["v"] for row in await rows(second, texts)] == ["30", "30", "é"]
    for database in (first, second):
        await database.close()


# Letters


@given(st.text(), st.text())
def test_texts_are_kept_in_the_order_of_code_points(one: str, other: str) -> None:
    assert told(kept(one)) == one
    assert (one < other) == (_units(kept(one)) < _units(kept(other)))


def _units(text: str) -> list[int]:
    """As Java compares them."""
    raw = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


async def test_letters_of_every_kind_are_ordered_found_and_counted_as_one(database: Database) -> None:
    names = ["a", "z", "é", "\ud7fb", "\ud7ff", "\ue000", "\ufb01", "Ａ", "ａ", "\uffff", "\U00010000", "😀", "𐐀"]
    await write(database, PERSON, *(stored(PERSON, f"p{number:02}", name=name) for number, name in enumerate(names)))
    every = [f"p{number:02}" for number in range(len(names))]
    assert await found(database, PERSON, EVERYTHING, Order("name")) == sorted(every, key=lambda id: names[int(id[1:])])
    assert await found(database, PERSON, Like("name", (Wild(Wildcard.ONE),))) == every
    for id, name in zip(every, names, strict=True):
        assert await found(database, PERSON, Compare("name", Comparison.EQ, name)) == [id]
        assert await found(database, PERSON, Like("name", (Wild(Wildcard.MANY), Letters(name)))) == [id]
    assert await found(database, PERSON, Like("name", (Letters("Ａ"),), ignore_case=True)) == ["p07", "p08"]


# Addresses, and what is missing


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "sqlite:///a.db",
        "hsqldb://u:secret@host",
        "hsqldb://u:secret@[h/d",
        "hsqldb://u:secret@h:x/d",
        "hsqldb://u:secret@h/d?jar=/tmp/other.jar",
        "hsqldb://u:secret@h/d;user=SA",
    ],
)
async def test_what_is_no_address_is_refused_without_telling_the_password(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert "secret" not in refused.value.message


async def test_errors_at_open_say_what_to_do(tmp_path: Path) -> None:
    good = uri_of("hsqldb", tmp_path)
    for uri, advice in (
        (f"{good}x", "name a database that the server has"),
        (good.replace(f":{hsqldb.server().port}/", ":1/"), "is HSQLDB running"),
        (good.replace("127.0.0.1", "no-such-host.invalid"), "nobody answers"),
        (good.replace("octonet:", "nobody:secret"), "check SGBD_URI"),
    ):
        with pytest.raises(StorageUnavailable) as refused:
            await opened_at(uri)
        assert advice in refused.value.message
        assert "secret" not in refused.value.message


async def test_a_user_that_sees_no_other_sessions_is_told_what_it_needs(tmp_path: Path) -> None:
    good = uri_of("hsqldb", tmp_path)
    sql(tmp_path, "CREATE USER \"poor\" PASSWORD 'poor'")
    with pytest.raises(StorageUnavailable, match="GRANT DBA"):
        await opened_at(f"hsqldb://poor:poor@{good.partition('@')[2].partition('@')[2] or good.rpartition('@')[2]}")
    sql(tmp_path, 'DROP USER "poor"')


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"JAVA_HOME": "/nowhere"}, "default-jre-headless"),
        ({"CLASSPATH": "/nowhere/other.jar"}, "libhsqldb-java"),
    ],
)
def test_what_is_missing_is_one_sentence_that_says_what_to_install(environment: dict[str, str], advice: str) -> None:
    script = (
        "import asyncio, jpype\n"
        "from octonet import dialects\n"
        "from octonet.dialects.engine import hsqldb_jvm\n"
        "from octonet.kernel.errors import Invalid\n"
        "from octonet.kernel.schema_parse import parse\n"
        "from octonet.kernel.storage import DatabaseOptions\n"
        "hsqldb_jvm._PLACES = hsqldb_jvm._PLACES if 'JAVA_HOME' in __import__('os').environ else ()\n"
        "def missing(): raise jpype.JVMNotFoundException('none')\n"
        "if 'JAVA_HOME' in __import__('os').environ: jpype.getDefaultJVMPath = missing\n"
        "try: asyncio.run(dialects.find('hsqldb').open('hsqldb://SA@127.0.0.1:1/d', parse('[]'), DatabaseOptions()))\n"
        "except Invalid as told: print(told.code, told.message)\n"
    )
    clean = {name: value for name, value in os.environ.items() if name not in ("JAVA_HOME", "CLASSPATH")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean | environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("DRIVER_MISSING "), done.stdout + done.stderr
    assert advice in done.stdout
    assert len(done.stdout.splitlines()) == 1


async def test_a_process_ends_though_a_call_hangs(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from octonet.dialects.engine.hsqldb_server import Server\n"
        "async def main():\n"
        "    connection = await Server(sys.argv[1], False).connect(())\n"
        "    task = asyncio.ensure_future(connection.rows(sys.argv[2], ()))\n"
        "    await asyncio.sleep(0.5)\n"
        "    print('over', flush=True)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    numbers(tmp_path)
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, uri_of("hsqldb", tmp_path), LONG, cwd=ROOT, stdout=subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, _ = await done.communicate()
    assert out.strip() == b"over"
    assert done.returncode == 0


async def test_a_closed_database_is_unavailable_and_may_be_closed_again(database: Database) -> None:
    transaction = await database.begin()
    await database.close()
    await transaction.rollback()
    for ask in (lambda: database.count(USER, EVERYTHING), lambda: row_of(database, USER, "u")):
        with pytest.raises(StorageUnavailable, match="closed"):
            await ask()
    with pytest.raises(StorageUnavailable, match="closed"):
        await database.begin()
    await database.close()


async def test_shown_sql_holds_no_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "octonet.sql")
    async with opened("hsqldb", tmp_path, options=DatabaseOptions(show_sql=True)) as database:
        await write(database, PERSON, stored(PERSON, "p", name="Ada", password="a secret"))
        assert await found(database, PERSON, Compare("name", Comparison.EQ, "Ada")) == ["p"]
        assert await database.get(PERSON, EntityId("p"), Options()) is not None
    assert "INSERT INTO" in caplog.text
    assert "secret" not in caplog.text
    assert "Ada" not in caplog.text
