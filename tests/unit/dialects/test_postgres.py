"""PostgreSQL: transactions that failed, values too long for an index, plans, addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octonet import dialects
from octonet.kernel.errors import ConstraintViolation, Internal, Invalid, StorageUnavailable
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, Order
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from tests import postgres
from tests.conformance.dialect_cases import (
    PERSON,
    SCHEMAS,
    USER,
    found,
    opened,
    stored,
    uri_of,
    write,
)


async def opened_at(uri: str) -> Database:
    return await dialects.find("postgres").open(uri, SCHEMAS, DatabaseOptions())


def sql(folder: Path, text: str) -> str:
    return postgres.server().sql(text, uri_of("postgres", folder).rpartition("/")[2])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("postgres", tmp_path) as database:
        yield database


async def test_a_value_that_no_text_holds_spoils_no_batch_behind_a_fresh_savepoint(database: Database) -> None:
    await write(database, USER, stored(USER, "u", email="e"))
    transaction = await database.begin()
    await transaction.savepoint()
    with pytest.raises(Invalid):
        await transaction.match(USER, Compare("email", Comparison.EQ, "\0"))
    await transaction.rollback_to()
    assert await transaction.match(USER, EVERYTHING) == ["u"]
    await transaction.commit()


async def test_a_failed_transaction_cannot_be_committed_unnoticed(database: Database) -> None:
    await write(database, USER, stored(USER, "u", email="e"))
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(USER, [stored(USER, "v", email="e")])
    with pytest.raises(Internal, match="rolled back"):
        await transaction.commit()


async def test_a_value_too_long_for_its_index_is_refused_by_name(database: Database) -> None:
    for length, paths in ((1_500, ["$.data.email"]), (4_000, [])):
        unpressable = "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(length))
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(USER, [stored(USER, "u", email=unpressable)])
        assert refused.value.code == "VALUE_TOO_LONG"
        assert [fault.path for fault in refused.value.faults] == paths
        await transaction.rollback()


# Plans


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("column", ["age", "bossId", "id"])
async def test_pages_are_read_along_an_index(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, column: str, descending: bool
) -> None:
    async with opened("postgres", tmp_path, options=DatabaseOptions(show_sql=True)) as database:
        await write(database, PERSON, *(stored(PERSON, f"p{n}", age=n, bossId=f"p{n}") for n in range(3_000)))
        sql(tmp_path, "ANALYZE")
        caplog.set_level("INFO", "octonet.sql")
        await found(database, PERSON, EVERYTHING, Order(column, descending))
        text = next(line for line in caplog.messages if line.startswith("SELECT")).replace("$1", "10")
        plan = sql(tmp_path, f"EXPLAIN {text.replace('$2', '0')}")
        assert "Index Scan" in plan, plan
        assert "Seq Scan" not in plan


# Addresses


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_every_spelling_of_the_scheme_is_understood(tmp_path: Path, scheme: str) -> None:
    database = await opened_at(uri_of("postgres", tmp_path).replace("postgresql", scheme))
    await database.migrate(SCHEMAS, Strategy.UPDATE)
    assert await database.count(USER, EVERYTHING) == 0
    await database.close()


@pytest.mark.parametrize(
    "uri", ["", "sqlite:///a.db", "mysql://u:secret@h/d", "postgresql://u:secret@host", "postgresql://u:secret@[h/d"]
)
async def test_what_is_no_address_is_refused_without_telling_the_password(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert "secret" not in refused.value.message


async def test_errors_at_open_say_what_to_do(tmp_path: Path) -> None:
    good = uri_of("postgres", tmp_path)
    nowhere = good.replace(f":{postgres.server().port}/", ":1/")
    for uri, advice in (
        (f"{good}x", "CREATE DATABASE"),
        (nowhere, "is PostgreSQL running"),
        (good.replace("127.0.0.1", "no-such-host.invalid"), "nobody answers"),
        (good.replace("postgres@", "nobody:secret@"), "check SGBD_URI"),
    ):
        with pytest.raises(StorageUnavailable) as refused:
            await opened_at(uri)
        assert advice in refused.value.message
        assert "secret" not in refused.value.message
