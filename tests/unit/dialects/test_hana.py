"""What only HANA has, or has not; H2 runs its SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from octonet import dialects
from octonet.dialects.engine import dbapi_turns
from octonet.dialects.engine.hana_patterns import pattern
from octonet.dialects.engine.model import build
from octonet.dialects.hana import GRAMMAR
from octonet.kernel.errors import ConstraintViolation, Invalid, OctonetError, StorageUnavailable
from octonet.kernel.filter import And, Compare, Comparison, Like, Literal, Or, Order, Wild, Wildcard
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from tests import h2
from tests.conformance.dialect_cases import ACCOUNT, AT, PERSON, SCHEMAS, USER, found, opened, stored, uri_of, write

ONE, MANY = Wild(Wildcard.ONE), Wild(Wildcard.MANY)


async def opened_at(uri: str, **options: str) -> Database:
    return await dialects.find("hana").open(uri, SCHEMAS, DatabaseOptions(**options))  # type: ignore[arg-type]


# Texts


@pytest.mark.parametrize(
    ("parts", "ignore_case", "wanted"),
    [
        ((Literal("50%_[x]|"), MANY), False, ("like", "50|%|_[x]||%")),
        ((Literal("aß-"), MANY), True, ("regex", r"(?s)\A(?:a|A)(?:ß|ẞ)\-.*\z")),
        ((Literal("a."), ONE), False, ("regex", r"(?s)\Aa\.(?:[^\x{d7ff}\p{Cs}]|\p{Cs}{2}|\x{d7ff}.)\z")),
        ((Literal("ａ𐐨"),), True, ("regex", r"(?s)\A(?:ａ|Ａ)(?:𐐨|𐐀)\z")),
    ],
)
def test_patterns_are_like_unless_letters_are_counted_or_stand_in_any_case(
    parts: tuple[Literal | Wild, ...], ignore_case: bool, wanted: tuple[str, str]
) -> None:
    assert pattern(parts, ignore_case) == wanted


@pytest.mark.parametrize(
    ("letter", "ignore_case", "letters"), [("x", False, 5001), ("x", True, 800), ("ａ", False, 2501)]
)
def test_a_pattern_that_is_too_long_is_refused(letter: str, ignore_case: bool, letters: int) -> None:
    with pytest.raises(Invalid) as refused:
        pattern((Literal(letter * letters),), ignore_case)
    assert refused.value.code == "UNSUPPORTED_PATTERN"


async def test_letters_of_two_units_and_of_any_case_are_found_and_stand_in_order(tmp_path: Path) -> None:
    async with opened("hana", tmp_path) as database:
        names = {"a": "😀", "b": "Ａx", "c": "ａX", "d": "\ufffd"}
        await write(database, PERSON, *(stored(PERSON, id, name=name) for id, name in names.items()))
        assert await found(database, PERSON, Like("name", (ONE,), False, False)) == ["a", "d"]
        assert await found(database, PERSON, Like("name", (Literal("ａx"),), True, False)) == ["b", "c"]
        assert await found(database, PERSON, Like("name", (MANY,), False, False), Order("name")) == ["b", "c", "d", "a"]


async def test_a_text_that_is_too_long_is_refused_by_its_name(tmp_path: Path) -> None:
    async with opened("hana", tmp_path) as database:
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(PERSON, [stored(PERSON, "p", bio="x" * 5001)])
        await transaction.rollback()
    assert refused.value.code == "VALUE_TOO_LONG"
    assert [fault.path for fault in refused.value.faults] == ["$.data.bio"]


async def test_more_values_than_a_statement_takes_are_refused(tmp_path: Path) -> None:
    async with opened("hana", tmp_path) as database:
        parts = tuple(Compare("age", Comparison.EQ, number) for number in range(32767))
        with pytest.raises(Invalid) as refused:
            await database.count(PERSON, And((Or(parts), Compare("name", Comparison.EQ, "x"))))
    assert refused.value.code == "FILTER_TOO_LARGE"


# Indexes


async def test_rows_that_do_not_count_differ_whatever_nulls_are_to_an_index(tmp_path: Path) -> None:
    async with opened("hana", tmp_path) as database:
        await write(database, USER, *(stored(USER, id, email=id, number=1) for id in "ab"))
        gone = [stored(ACCOUNT, id, email="e", deletedAt=AT) for id in "ab"]
        await write(database, ACCOUNT, *gone, stored(ACCOUNT, "c", email="e"))
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(ACCOUNT, [stored(ACCOUNT, "d", email="e")])
        await transaction.rollback()
    assert [fault.path for fault in refused.value.faults] == ["$.data.email"]


async def test_no_index_needs_nulls_to_differ(tmp_path: Path) -> None:
    columns = {
        index.name: [column.name for column in index.columns if column.nullable]
        for table in build(SCHEMAS, GRAMMAR).public
        for index in table.indexes
        if index.unique
    }
    async with opened("hana", tmp_path):
        asked = h2.asked(uri_of("hana", tmp_path).rpartition("/")[2], _GENERATED)
        made = {str(name): str(how) for name, how in asked}
    assert {name: bool(nullable) for name, nullable in columns.items()} == {name: name in made for name in columns}
    assert "CASE WHEN" in made["idx_user_0"]


_GENERATED = "SELECT COLUMN_NAME, GENERATION_EXPRESSION FROM INFORMATION_SCHEMA.COLUMNS WHERE IS_GENERATED = 'ALWAYS'"


# Turns


async def test_writers_of_one_prefix_take_turns_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
    uri = uri_of("hana", tmp_path)
    one, two, other = await opened_at(uri), await opened_at(uri), await opened_at(uri, table_prefix="p_")
    transaction = await one.begin()
    with pytest.raises(StorageUnavailable, match="keep their turn"):
        await two.begin()
    await (await other.begin()).rollback()
    await transaction.rollback()
    await (await two.begin()).rollback()
    for database in (one, two, other):
        await database.close()


async def test_a_migration_keeps_its_turn_through_all_of_its_definitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = uri_of("hana", tmp_path)
    one, two = await opened_at(uri), await opened_at(uri)
    refused: list[str] = []
    define = dbapi_turns.TurnWriter.define

    async def watched(self: dbapi_turns.TurnWriter, text: str) -> None:
        await define(self, text)
        with pytest.raises(StorageUnavailable, match="keep their turn"):
            await two.begin()
        refused.append(text)

    with monkeypatch.context() as patch:
        patch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
        patch.setattr(dbapi_turns.TurnWriter, "define", watched)
        await one.migrate(SCHEMAS, Strategy.UPDATE)
    assert len(refused) > 10
    # The session that kept the turn is ended in its own thread: who comes next may have to wait for that.
    await (await two.begin()).rollback()
    await one.close()
    await two.close()


async def test_a_migration_that_lost_its_turn_does_nothing_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = uri_of("hana", tmp_path)
    database = await opened_at(uri)
    defined: list[str] = []
    define = dbapi_turns.TurnWriter.define

    async def cut(self: dbapi_turns.TurnWriter, text: str) -> None:
        if len(defined) == 3:
            assert self._apart is not None
            self._apart.give_up()
        await define(self, text)
        defined.append(text)

    with monkeypatch.context() as patch:
        patch.setattr(dbapi_turns.TurnWriter, "define", cut)
        with pytest.raises(OctonetError, match="lost its turn"):
            await database.migrate(SCHEMAS, Strategy.UPDATE)
    assert len(defined) == 3
    await database.migrate(SCHEMAS, Strategy.UPDATE)
    await database.close()


async def test_the_table_of_turns_is_not_told_among_the_tables(tmp_path: Path) -> None:
    async with opened("hana", tmp_path) as database:
        assert "octonet_turn" not in (await database.contents()).tables
