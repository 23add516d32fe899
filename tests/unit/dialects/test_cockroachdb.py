"""CockroachDB, as its stand-in is: transactions that are tried anew, turns, what its errors leave unsaid, and the text
of what no stand-in can judge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from octonet import dialects
from octonet.dialects.cockroachdb import GRAMMAR
from octonet.dialects.engine import standing
from octonet.dialects.engine.cockroachdb_errors import raise_meaning
from octonet.dialects.engine.cockroachdb_patterns import pattern
from octonet.dialects.engine.ddl import Migration
from octonet.dialects.engine.faults import Contended
from octonet.dialects.engine.inventory import Inventory
from octonet.dialects.engine.model import build
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.writes import Writes
from octonet.kernel.aggregate import Accumulator, Function, Group
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable
from octonet.kernel.filter import EVERYTHING, Literal, Order, Wild, Wildcard
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Strategy, Transaction
from tests import cockroachdb, postgres
from tests.conformance.dialect_cases import ACCOUNT, PERSON, SCHEMAS, USER, opened, page, stored, uri_of, write

MODEL = build(SCHEMAS, GRAMMAR)


async def opened_at(uri: str) -> Database:
    return await dialects.find("cockroachdb").open(uri, SCHEMAS, DatabaseOptions())


async def other(folder: Path) -> asyncpg.Connection:
    """A session of somebody else, who takes no turn."""
    return await asyncpg.connect(uri_of("cockroachdb", folder).replace("cockroachdb", "postgresql", 1))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("cockroachdb", tmp_path) as database:
        transaction = await database.begin()
        await transaction.move_checkpoint(Checkpoint(1, 1, b"d", "s"))
        await transaction.commit()
        yield database


# Transactions that are tried anew


async def test_a_statement_that_another_session_was_in_the_way_of_leaves_nothing_and_goes_well_anew(
    tmp_path: Path, database: Database
) -> None:
    session = await other(tmp_path)
    for attempt in (1, 2):
        transaction = await database.begin()
        await transaction.insert(USER, [stored(USER, "u", email="e")])
        if attempt == 1:
            await session.execute("UPDATE octonet_checkpoint SET slot = slot")
            with pytest.raises(StorageUnavailable) as refused:
                await transaction.move_checkpoint(Checkpoint(2, 2, b"d", "s"))
            assert isinstance(refused.value, Contended)
            await transaction.rollback()
            assert await database.count(USER, EVERYTHING) == 0
        else:
            await transaction.move_checkpoint(Checkpoint(2, 2, b"d", "s"))
            await transaction.commit()
    assert await database.count(USER, EVERYTHING) == 1
    assert (await database.checkpoint()).entry == 2
    await session.close()


async def _pivot(database: Database, session: asyncpg.Connection) -> Transaction:
    """A transaction that has read what the session writes, and writes what the session has read."""
    transaction = await database.begin()
    await transaction.match(USER, EVERYTHING)
    await session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    await session.fetch("SELECT * FROM accounts")
    await session.execute("INSERT INTO \"user\" (id, email, _version) VALUES ('other', 'other', 1)")
    await transaction.insert(ACCOUNT, [stored(ACCOUNT, "a", email="e")])
    await session.execute("COMMIT")
    return transaction


async def test_a_commit_that_cannot_be_serialized_leaves_nothing_and_goes_well_anew(
    tmp_path: Path, database: Database
) -> None:
    session = await other(tmp_path)
    transaction = await _pivot(database, session)
    with pytest.raises(Contended):
        await transaction.commit()
    await transaction.rollback()
    assert await database.count(ACCOUNT, EVERYTHING) == 0
    await write(database, ACCOUNT, stored(ACCOUNT, "a", email="e"))
    assert await database.count(ACCOUNT, EVERYTHING) == 1
    await session.close()


# Turns


async def test_whoever_waits_for_a_turn_sees_what_the_one_before_has_done(tmp_path: Path, database: Database) -> None:
    async with opened("cockroachdb", tmp_path) as second:
        for number in range(2, 8):
            transaction = await database.begin()
            waiting = asyncio.ensure_future(second.begin())
            await asyncio.wait({waiting}, timeout=0.05)
            assert not waiting.done()
            await transaction.move_checkpoint(Checkpoint(number, number))
            await transaction.commit()
            after = await waiting
            assert await after.checkpoint() == Checkpoint(number, number)
            await after.rollback()


async def test_a_migration_keeps_its_turn_through_all_of_its_definitions(tmp_path: Path, database: Database) -> None:
    async with opened("cockroachdb", tmp_path) as second:
        before = int(_turns(tmp_path))
        transaction = await database.begin()
        waiting = asyncio.ensure_future(second.migrate(SCHEMAS, Strategy.CREATE))
        await asyncio.wait({waiting}, timeout=0.2)
        assert not waiting.done()
        await transaction.rollback()
        await waiting
        # It ended as it was taken: by a rollback of nothing else.
        assert int(_turns(tmp_path)) == before
        await write(database, USER, stored(USER, "u", email="e"))
        assert int(_turns(tmp_path)) == before + 1


def _turns(folder: Path) -> str:
    return cockroachdb.server().sql("SELECT sum(turn) FROM octonet_turns", uri_of("cockroachdb", folder).split("/")[-1])


async def test_prefixes_do_not_wait_for_each_other(tmp_path: Path, database: Database) -> None:
    async with opened("cockroachdb", tmp_path, options=DatabaseOptions(table_prefix="o'ther_")) as third:
        transaction = await database.begin()
        await (await third.begin()).rollback()
        await transaction.rollback()


async def test_the_table_of_turns_is_not_told_among_the_tables(database: Database) -> None:
    assert "octonet_turns" not in (await database.contents()).tables


# What is at the other end


async def test_a_postgresql_that_does_not_pose_is_refused(tmp_path: Path) -> None:
    plain = postgres.server().uri(tmp_path).replace("postgresql", "cockroachdb", 1)
    with pytest.raises(StorageUnavailable, match=r"is PostgreSQL .*: CockroachDB 23\.2 or later is needed"):
        await opened_at(plain)


@pytest.mark.parametrize("version", ["CockroachDB CCL v22.2.19 (x86_64)", "CockroachDB OSS v23.1.30 (x86_64)"])
async def test_an_older_version_is_refused(tmp_path: Path, version: str) -> None:
    uri = uri_of("cockroachdb", tmp_path)
    text = f"CREATE OR REPLACE FUNCTION crdb_shim.version() RETURNS text LANGUAGE sql AS $$ SELECT '{version}'::text $$"
    name = uri.rpartition("/")[2]
    cockroachdb.server().sql(f"ALTER EVENT TRIGGER guard DISABLE; {text}", name)
    with pytest.raises(StorageUnavailable, match=r"23\.2 or later is needed"):
        await opened_at(uri)


@pytest.mark.parametrize(
    "uri", ["", "postgresql://u:secret@h/d", "cockroachdb://u:secret@host", "cockroachdb://u:secret@[h/d"]
)
async def test_what_is_no_address_is_refused_without_telling_the_password(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert "secret" not in refused.value.message


async def test_errors_at_open_say_what_to_do(tmp_path: Path) -> None:
    good = uri_of("cockroachdb", tmp_path)
    for uri, advice in (
        (f"{good}x", "CREATE DATABASE"),
        (good.replace(f":{cockroachdb.server().port}/", ":1/"), "is CockroachDB running"),
        (good.replace("postgres@", "nobody:secret@"), "check SGBD_URI"),
    ):
        with pytest.raises(StorageUnavailable) as refused:
            await opened_at(uri)
        assert advice in refused.value.message
        assert "secret" not in refused.value.message


async def test_a_wrong_password_is_told_as_such(tmp_path: Path) -> None:
    good = uri_of("cockroachdb", tmp_path)
    cockroachdb.server().let_in("somebody", "the right one")
    with pytest.raises(StorageUnavailable) as refused:
        await opened_at(good.replace("postgres@", "somebody:secret@"))
    assert "refused the user or the password" in refused.value.message
    assert "secret" not in refused.value.message
    await (await opened_at(good.replace("postgres@", "somebody:the%20right%20one@"))).close()


async def test_a_server_that_goes_away_in_the_middle_leaves_nothing_and_is_found_again(
    tmp_path: Path, database: Database
) -> None:
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "u", email="e")])
    with cockroachdb.server().away():
        with pytest.raises(StorageUnavailable):
            await transaction.commit()
        with pytest.raises(StorageUnavailable):
            await database.begin()
    async with asyncio.timeout(60):
        while True:
            try:
                await write(database, USER, stored(USER, "u", email="e"))
                break
            except StorageUnavailable:
                await asyncio.sleep(0.02)
    assert await database.count(USER, EVERYTHING) == 1


# What it says in words only


def told(state: str, words: str) -> asyncpg.PostgresError:
    """An error with a state and words, and none of the fields that PostgreSQL adds."""
    error = asyncpg.PostgresError(words)
    error.sqlstate = state
    return error


@pytest.mark.parametrize(
    ("state", "words", "statement", "code", "paths"),
    [
        ("23505", 'duplicate key value violates unique constraint "uidx_user_email"', 'INSERT INTO "user" (id) …',
         "UNIQUE_VIOLATION", ["$.data.email"]),
        ("23505", 'duplicate key value violates unique constraint "user_pkey"', 'INSERT INTO "user" (id) …',
         "UNIQUE_VIOLATION", ["$.data.id"]),
        ("23502", 'null value in column "email" violates not-null constraint', 'UPDATE "user" SET …',
         "REQUIRED", ["$.data.email"]),
    ],
)  # fmt: skip
def test_a_violation_is_read_from_its_words(
    state: str, words: str, statement: str, code: str, paths: list[str]
) -> None:
    with pytest.raises(ConstraintViolation) as refused:
        raise_meaning(told(state, words), "db", closed=False, model=MODEL, statement=statement)
    assert (refused.value.code, [fault.path for fault in refused.value.faults]) == (code, paths)


@pytest.mark.parametrize("state", ["40001", "40003", "55000", "57P01", "58C01", "53200", "XXA00"])
def test_what_may_go_well_later_is_told_as_unavailable(state: str) -> None:
    error = told(state, "restart transaction: TransactionRetryWithProtoRefreshError: WriteTooOldError")
    with pytest.raises(StorageUnavailable):
        raise_meaning(error, "db", closed=False, model=MODEL, statement="COMMIT")


# What no stand-in can judge


def test_tables_name_no_collation_and_no_json() -> None:
    text = "\n".join(Migration(MODEL, GRAMMAR, Inventory({}, frozenset())).statements(Strategy.CREATE))
    assert "COLLATE" not in text
    assert "JSON" not in text.upper()
    assert 'CREATE UNIQUE INDEX "uidx_accounts_email_softdelete" ON "accounts"' in text


def test_nulls_in_an_index_are_only_put_where_they_are_anyway() -> None:
    texts = standing.of(MODEL, GRAMMAR).indexes.values()
    assert any("DESC NULLS LAST" in text for text in texts)
    assert not [text for text in texts if "DESC NULLS FIRST" in text or "ASC NULLS LAST" in text]


def test_a_page_says_where_nulls_are() -> None:
    bound = Queries(MODEL, GRAMMAR).select(PERSON, page(EVERYTHING, Order("age"), Order("name", descending=True)))
    assert " ".join(bound.text.split()).endswith(
        'ORDER BY "people"."age" ASC NULLS FIRST, "people"."name" DESC NULLS LAST, "people"."id" ASC LIMIT $1'
    )


def test_a_count_is_made_a_fraction_before_it_is_multiplied_by_one() -> None:
    stages = [Group(None, (Accumulator("sum", Function.SUM, 2.5),))]
    text = Queries(MODEL, GRAMMAR).aggregate(ACCOUNT, stages, 10).text
    assert "CAST(count(*) AS DOUBLE PRECISION) * CAST($1 AS DOUBLE PRECISION)" in text


def test_lines_travel_as_lists() -> None:
    writes = Writes(MODEL, GRAMMAR)
    assert "unnest(CAST($1 AS TEXT[])" in writes.insert(ACCOUNT).text
    assert "FROM unnest(" in writes.update(ACCOUNT).text


def test_a_pattern_that_minds_no_case_lists_the_cases_of_each_letter() -> None:
    parts = (Literal("k.s"), Wild(Wildcard.MANY), Wild(Wildcard.ONE))
    assert pattern(parts, True) == ("regex", "(?s)^[kK\u212a]\\.[sS].*.$")
    assert pattern(parts, False) == ("like", "k.s%_")
