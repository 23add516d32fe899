"""MariaDB keeps values as every other database does, and finds them along its indexes."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octonet.kernel.errors import ConstraintViolation
from octonet.kernel.filter import EVERYTHING, Compare, Comparison, Filter, Order
from octonet.kernel.storage import Database, DatabaseOptions
from tests import mariadb
from tests.conformance.dialect_cases import PERSON, USER, found, opened, row_of, stored, uri_of, write


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("mariadb", tmp_path) as database:
        yield database


async def test_long_texts_are_unique_to_their_last_letter(database: Database) -> None:
    long = "ü" * 50_000
    await write(database, USER, stored(USER, "u", email=f"{long}a"), stored(USER, "v", email=f"{long}b"))
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(USER, [stored(USER, "w", email=f"{long}b")])
    assert [fault.path for fault in refused.value.faults] == ["$.data.email"]
    await transaction.rollback()
    assert await found(database, USER, Compare("email", Comparison.EQ, f"{long}b")) == ["v"]


async def test_blanks_case_and_accents_make_another_value(database: Database) -> None:
    emails = ["a", "a ", "A", "á", " a", "a\t", ""]
    await write(database, USER, *(stored(USER, f"u{n}", email=email) for n, email in enumerate(emails)))
    for number, email in enumerate(emails):
        assert await found(database, USER, Compare("email", Comparison.EQ, email)) == [f"u{number}"]


async def test_every_float_comes_back_to_the_bit(database: Database) -> None:
    dice = random.Random(5)
    ages = [1.7976931348623157e308, 5e-324, 0.1 + 0.2, 2.0**53 - 1]
    ages += [f for n in range(2_000) if math.isfinite(f := struct.unpack("d", dice.randbytes(8))[0])]
    people = [stored(PERSON, f"p{n:05}", age=age) for n, age in enumerate(ages)]
    await write(database, PERSON, *people)
    transaction = await database.begin()
    rows = await transaction.fetch(PERSON, [person.id for person in people])
    await transaction.rollback()
    assert [rows[person.id].state["age"] for person in people] == ages


async def test_a_batch_may_mix_whole_numbers_fractions_and_nulls(database: Database) -> None:
    ages = [1, 2.5, None, 3]
    await write(database, PERSON, *(stored(PERSON, f"p{n}", age=age) for n, age in enumerate(ages)))
    rows = [await row_of(database, PERSON, f"p{n}") for n in range(4)]
    assert [repr(row["age"]) for row in rows if row is not None] == ["1", "2.5", "None", "3"]


async def test_a_batch_larger_than_a_packet_is_written_in_several(database: Database) -> None:
    people = [stored(PERSON, f"p{n:02}", bio=f"{n}" * 500_000) for n in range(40)]
    await write(database, PERSON, *people)
    assert await database.count(PERSON, EVERYTHING) == 40


async def test_a_value_that_no_packet_holds_is_refused(database: Database) -> None:
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(USER, [stored(USER, "u", email="x" * 17_000_000)])
    assert refused.value.code == "VALUE_TOO_LONG"
    await transaction.rollback()
    await write(database, USER, stored(USER, "u", email="x"))


@pytest.mark.parametrize(
    ("where", "order"),
    [
        (EVERYTHING, Order("age", descending=True)),
        (EVERYTHING, Order("id")),
        (EVERYTHING, Order("id", descending=True)),
        (Compare("bossId", Comparison.EQ, "p7"), Order("id")),
        (Compare("age", Comparison.EQ, 7), Order("id")),
    ],
)
async def test_pages_are_read_along_an_index(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, where: Filter, order: Order
) -> None:
    async with opened("mariadb", tmp_path, options=DatabaseOptions(show_sql=True)) as database:
        await write(database, PERSON, *(stored(PERSON, f"p{n}", age=n, bossId=f"p{n}") for n in range(3_000)))
        name = uri_of("mariadb", tmp_path).rpartition("/")[2]
        mariadb.server().sql("ANALYZE TABLE people", name)
        caplog.set_level("INFO", "octonet.sql")
        await found(database, PERSON, where, order)
        text = next(line for line in caplog.messages if line.startswith("SELECT"))
        bound = text.replace("= ?", "= 'p7'" if "bossId` = ?" in text else "= 7").replace("?", "10")
        plan = mariadb.server().sql(f"EXPLAIN {bound}", name).split("\t")
        assert plan[5] != "NULL", plan
        assert plan[3] != "ALL", plan
