"""Servers whose connections are kept: gets that travel together, deadlines, lost connections, restarted servers,
writers that take turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octonet.kernel.errors import ConstraintViolation, Internal, StorageUnavailable, Unavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, Options
from octonet.kernel.ids import EntityId
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Strategy
from tests.conformance.dialect_cases import (
    GROUP,
    PERSON,
    SCHEMAS,
    USER,
    found,
    of_values,
    opened,
    public,
    row_of,
    stored,
    write,
)
from tests.unit.dialects.server_sites import SITES, Site, healed

LONG = 60


@pytest.fixture(params=SITES, ids=[site.dialect for site in SITES])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    found: Site = request.param
    found.uri(tmp_path)  # skips where there is no such server
    return found


@pytest.fixture
async def database(site: Site, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(site.dialect, tmp_path) as database:
        yield database


# What is asked for together


async def test_gets_of_one_moment_are_one_query(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(site.dialect, tmp_path, options=DatabaseOptions(show_sql=True)) as database:
        groups = [stored(GROUP, f"g{number}", title=f"t{number}") for number in range(50)]
        await write(database, GROUP, *groups)
        caplog.set_level("INFO", "octonet.sql")
        asked = [*(group.id for group in groups), EntityId("absent"), groups[7].id]
        rows = await asyncio.gather(*(row_of(database, GROUP, id) for id in asked))
        assert rows == [*(group.state for group in groups), None, groups[7].state]
        assert rows[7] is not rows[-1]
        assert len([line for line in caplog.messages if line.startswith("SELECT")]) == 1


async def test_gets_of_different_shapes_or_entities_keep_apart(database: Database) -> None:
    await write(database, GROUP, stored(GROUP, "x", title="t"))
    await write(database, PERSON, stored(PERSON, "x", name="n", age=3, groups=["x"]))
    titles, whole, name = await asyncio.gather(
        row_of(database, GROUP, "x", Options(select=("title",))),
        row_of(database, PERSON, "x"),
        row_of(database, PERSON, "x", Options(select=("name",))),
    )
    assert titles == {"id": "x", "title": "t"}
    assert whole == public(of_values(PERSON, "x", {"name": "n", "age": 3, "groups": ["x"]}).state)
    assert name == {"id": "x", "name": "n"}


async def test_a_cancelled_get_takes_nobody_else_along(database: Database) -> None:
    await write(database, GROUP, stored(GROUP, "g", title="t"))
    impatient, patient = (asyncio.ensure_future(row_of(database, GROUP, "g")) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is not None
    assert impatient.cancelled()


async def test_a_get_after_a_commit_sees_it_whatever_is_under_way(database: Database) -> None:
    await write(database, GROUP, stored(GROUP, "g", title="0"))
    for version in range(1, 30):
        early = asyncio.ensure_future(row_of(database, GROUP, "g"))
        transaction = await database.begin()
        await transaction.update(GROUP, [(version, stored(GROUP, "g", version + 1, title=str(version)))])
        await transaction.commit()
        row = await row_of(database, GROUP, "g")
        assert row is not None
        assert row["title"] == str(version)
        await early


# Deadlines


async def test_a_query_past_its_deadline_is_stopped_on_the_server_too(site: Site, tmp_path: Path) -> None:
    reads, sleep = site.reading(tmp_path, 1, 2.0), site.sleeping(LONG)
    for snapshot in (True, False):
        with pytest.raises(Unavailable) as refused:
            await reads.long(lambda reader: reader.rows(sleep, ()), snapshot=snapshot)
        assert refused.value.code == "QUERY_TIMEOUT"
        assert await reads.long(lambda reader: reader.rows("SELECT 42", ()), snapshot=snapshot) == [(42,)]
    async with asyncio.timeout(30):  # half of what they would sleep
        while site.sql(tmp_path, site.asleep) != "0":
            await asyncio.sleep(0.05)
    await reads.close()


async def test_a_cancelled_caller_leaves_a_connection_that_serves_again(site: Site, tmp_path: Path) -> None:
    reads, sleep = site.reading(tmp_path, 1, 30), site.sleeping(LONG)
    for snapshot in (True, False):
        asked = asyncio.ensure_future(reads.long(lambda reader: reader.rows(sleep, ()), snapshot=snapshot))
        await asyncio.wait({asked}, timeout=0.2)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await reads.long(lambda reader: reader.rows("SELECT 42", ()), snapshot=snapshot) == [(42,)]
    await reads.close()


async def test_closing_stops_what_is_running_and_lets_nobody_in(site: Site, tmp_path: Path) -> None:
    reads, sleep = site.reading(tmp_path, 2, 30), site.sleeping(LONG)
    asked = [asyncio.ensure_future(reads.long(lambda reader: reader.rows(sleep, ()), snapshot=True)) for _ in range(3)]
    await asyncio.wait(set(asked), timeout=0.2)
    await reads.close()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(result, StorageUnavailable) for result in results), results
    with pytest.raises(StorageUnavailable, match="closed"):
        await reads.one("SELECT 42", ())


# Lost connections


async def test_a_connection_killed_while_it_is_idle_is_not_noticed(
    site: Site, tmp_path: Path, database: Database
) -> None:
    await write(database, USER, stored(USER, "u", email="e"))
    await found(database, USER, EVERYTHING)
    await site.ended(site, tmp_path)
    assert await database.count(USER, EVERYTHING) == 1
    assert await row_of(database, USER, "u") is not None
    await write(database, USER, stored(USER, "v", email="f"))


async def test_a_read_whose_connection_is_killed_is_begun_anew(site: Site, tmp_path: Path) -> None:
    reads = site.reading(tmp_path, 1, 30)
    sleep = site.sleeping(0.5)
    for snapshot in (True, False):
        asked = asyncio.ensure_future(reads.long(lambda reader: reader.rows(sleep, ()), snapshot=snapshot))
        await asyncio.wait({asked}, timeout=0.2)
        await site.ended(site, tmp_path)
        assert (await asked)[0][1] == 42
    await reads.close()


async def test_a_transaction_whose_connection_is_killed_is_over_and_left_nothing(
    site: Site, tmp_path: Path, database: Database
) -> None:
    for early in (True, False):
        transaction = await database.begin()
        await transaction.insert(USER, [stored(USER, "u", email="e")])
        await site.ended(site, tmp_path)
        with pytest.raises(StorageUnavailable):
            await (transaction.match(USER, EVERYTHING) if early else transaction.commit())
        await transaction.rollback()
        assert await database.count(USER, EVERYTHING) == 0
    await write(database, USER, stored(USER, "u", email="e"))


async def test_everything_heals_after_the_server_was_restarted(site: Site, tmp_path: Path, database: Database) -> None:
    await write(database, USER, *(stored(USER, f"u{n}", email=f"e{n}") for n in range(20)))
    site.sql(tmp_path, site.settle)
    wrong: list[object] = []

    async def reading() -> None:
        for turn in range(150):
            try:
                wrong.extend(n for n in [await database.count(USER, EVERYTHING)] if n != 20)
                await database.get(USER, EntityId(f"u{turn % 20}"), Options())
            except StorageUnavailable:
                await asyncio.sleep(0.01)

    readers = [asyncio.create_task(reading()) for _ in range(4)]
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "new", email="new")])
    with site.server().away():
        with pytest.raises(StorageUnavailable):
            await transaction.move_checkpoint(Checkpoint(1, 1))
        with pytest.raises(StorageUnavailable):
            await transaction.commit()
        with pytest.raises(StorageUnavailable):
            await database.begin()
    assert await healed(lambda: database.count(USER, EVERYTHING)) == 20
    await (await healed(database.begin)).rollback()
    await asyncio.gather(*readers)
    assert wrong == []
    await write(database, USER, stored(USER, "new", email="new"))


# Writers


async def test_writers_of_one_prefix_take_turns_and_those_of_another_do_not_wait(
    site: Site, tmp_path: Path, database: Database
) -> None:
    other = DatabaseOptions(table_prefix="o'ther_")
    async with opened(site.dialect, tmp_path) as second, opened(site.dialect, tmp_path, options=other) as third:
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


async def test_a_begin_that_was_cancelled_leaves_nothing_open(site: Site, tmp_path: Path, database: Database) -> None:
    async with opened(site.dialect, tmp_path) as second:
        transaction = await database.begin()
        waiting = asyncio.ensure_future(second.begin())
        await asyncio.wait({waiting}, timeout=0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await transaction.rollback()
        await (await second.begin()).rollback()


async def test_two_processes_that_migrate_at_once_both_succeed(site: Site, tmp_path: Path) -> None:
    for strategy in (Strategy.UPDATE, Strategy.CREATE):
        several = [await site.opened_at(site.uri(tmp_path)) for _ in range(4)]
        await asyncio.gather(*(database.migrate(SCHEMAS, strategy) for database in several))
        await write(several[0], USER, stored(USER, "u", email=strategy))
        assert await several[3].count(USER, EVERYTHING) == 1
        for database in several:
            await database.migrate(SCHEMAS, Strategy.VALIDATE)
            await database.close()


async def test_a_statement_that_failed_spoils_no_batch_behind_a_fresh_savepoint(database: Database) -> None:
    await write(database, USER, stored(USER, "u", email="e"))
    transaction = await database.begin()
    await transaction.savepoint()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(USER, [stored(USER, "v", email="e")])
    await transaction.rollback_to()
    assert await transaction.match(USER, EVERYTHING) == ["u"]
    await transaction.commit()


# At the beginning and at the end


async def test_tables_that_were_not_made_are_told_as_unavailable(site: Site, tmp_path: Path) -> None:
    database = await site.opened_at(site.uri(tmp_path))
    with pytest.raises(StorageUnavailable, match="not made yet"):
        await database.checkpoint()
    await database.close()


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


async def test_shown_sql_holds_no_values(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "octonet.sql")
    async with opened(site.dialect, tmp_path, options=DatabaseOptions(show_sql=True)) as database:
        await write(database, PERSON, stored(PERSON, "p", name="Ada", password="a secret"))
        assert await found(database, PERSON, Compare("name", Comparison.EQ, "Ada")) == ["p"]
    assert "INSERT INTO" in caplog.text
    assert "secret" not in caplog.text
    assert "Ada" not in caplog.text
