"""What only SAP ASE has, or has not; H2 runs its SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from octonet import dialects
from octonet.dialects.engine.sybase_letters import kept, kept_bytes, told, told_bytes
from octonet.dialects.engine.sybase_patterns import pattern
from octonet.dialects.engine.sybase_reserved import spelled
from octonet.dialects.engine.sybase_words import inlined, words
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable
from octonet.kernel.filter import And, Compare, Comparison, IsNull, Like, Literal, Or, Wild, Wildcard
from octonet.kernel.ids import JsonValue
from octonet.kernel.storage import Database, DatabaseOptions
from tests.conformance.dialect_cases import (
    ACCOUNT,
    PERSON,
    SCHEMAS,
    USER,
    found,
    ids,
    opened,
    page,
    stored,
    uri_of,
    write,
)

ONE, MANY = Wild(Wildcard.ONE), Wild(Wildcard.MANY)
_TEXTS = [
    "",
    " ",
    "a",
    "a ",
    "a\x01",
    "a\x01b",
    "a\x02",
    "a\x03",
    "a\x04",
    "\x01",
    "\x02\x03",
    "\x03",
    "a b",
    "é",
    "\ue000",
    "😀",
]


async def opened_at(uri: str, **options: str) -> Database:
    return await dialects.find("sybase").open(uri, SCHEMAS, DatabaseOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", _TEXTS)
def test_a_text_comes_back_as_it_was_kept(text: str) -> None:
    assert told(kept(text)) == text
    assert not kept(text).endswith(" ")


@pytest.mark.parametrize("value", [b"", b"\0", b"a\0\0", b"\x01", b"a\x01"])
def test_bytes_come_back_as_they_were_kept(value: bytes) -> None:
    assert told_bytes(kept_bytes(value)) == value
    assert not kept_bytes(value).endswith(b"\0")


def test_filled_up_with_blanks_texts_are_ordered_as_by_code_point() -> None:
    texts = sorted(_TEXTS)
    filled = [kept(text).encode().ljust(20) for text in texts]
    assert filled == sorted(filled)
    assert len(set(filled)) == len(texts)


@pytest.mark.parametrize(
    ("parts", "ignore_case", "wanted"),
    [
        ((Literal("50%_[x]|"), MANY), False, ("like", "50|%|_|[x]||%")),
        ((Literal("aß-"), MANY), True, ("like", "[aA][ßẞ]-%")),
        ((Literal("a"), ONE), False, ("like, without marks", "a_\x01")),
        ((MANY, Literal("\x03")), True, ("like, without marks", "%\x03\x01")),
    ],
)
def test_patterns_are_like_and_marks_are_no_letters(
    parts: tuple[Literal | Wild, ...], ignore_case: bool, wanted: tuple[str, str]
) -> None:
    assert pattern(parts, ignore_case) == wanted


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ((ONE,), ["a", "b", "c"]),
        ((MANY, Literal("\x03")), ["c", "e"]),
        ((MANY, Literal("\x01")), ["a"]),
        ((Literal("\x02"), ONE, ONE), ["d", "e"]),
        ((MANY, Literal("\x01"), MANY), ["a", "d"]),
    ],
)
async def test_a_letter_that_is_kept_as_two_is_one_to_patterns(
    tmp_path: Path, parts: tuple[Literal | Wild, ...], wanted: list[str]
) -> None:
    async with opened("sybase", tmp_path) as database:
        names = {"a": "\x01", "b": "\x02", "c": "\x03", "d": "\x02\x01\x04", "e": "\x02\x04\x03", "f": ""}
        await write(database, PERSON, *(stored(PERSON, id, name=name) for id, name in names.items()))
        assert await found(database, PERSON, Like("name", parts, False, False)) == wanted
        others = sorted(set(names) - set(wanted))
        assert await found(database, PERSON, Like("name", parts, True, True)) == others


def test_a_pattern_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        pattern((Literal("x" * 16_001),), False)
    assert refused.value.code == "UNSUPPORTED_PATTERN"


async def test_long_texts_have_a_value_or_none(tmp_path: Path) -> None:
    async with opened("sybase", tmp_path) as database:
        values: dict[str, JsonValue] = {"a": {"x": 1}, "b": None, "c": ""}
        await write(database, PERSON, *(stored(PERSON, id, settings=value) for id, value in values.items()))
        assert await found(database, PERSON, IsNull("settings", True)) == ["b"]
        assert await found(database, PERSON, IsNull("settings", False)) == ["a", "c"]


def test_numbers_that_decide_what_a_query_is_and_nulls_stand_in_it() -> None:
    text = "SELECT CAST(? AS DOUBLE PRECISION) FROM t WHERE a = ? ROWS LIMIT ? OFFSET ?"
    for number, told_ in ((2, "2e0"), (2.5, "2.5e0"), (1e300, "1e+300"), (-3, "-3e0")):
        said, bound = inlined(text, (number, "x", 10, 20))
        assert said == f"SELECT CAST({told_} AS DOUBLE PRECISION) FROM t WHERE a = ? ROWS LIMIT 10 OFFSET 20"
        assert list(bound) == ["x"]
    assert inlined("SELECT a FROM t ROWS LIMIT ?", (0,))[0] == "SELECT a FROM t ROWS LIMIT 1 OFFSET 2147483647"
    assert inlined("SELECT a FROM t WHERE a = ?", (1,)) == ("SELECT a FROM t WHERE a = ?", (1,))
    assert inlined("INSERT INTO [t] VALUES (?, ?, ?)", ("a", None, 0)) == (
        "INSERT INTO [t] VALUES (?, NULL, ?)",
        ["a", 0],
    )


async def test_a_page_of_no_rows_has_none(tmp_path: Path) -> None:
    async with opened("sybase", tmp_path) as database:
        await write(database, PERSON, stored(PERSON, "a"), stored(PERSON, "b"), stored(PERSON, "c"))
        assert ids(await database.select(PERSON, page(limit=0))) == []
        assert ids(await database.select(PERSON, page(limit=0, skip=1))) == []
        assert ids(await database.select(PERSON, page(limit=1, skip=1))) == ["b"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("people", "people"),
        ("order", "order_"),
        ("Order", "Order_"),
        ("order_", "order__"),
        ("people_", "people_"),
        ("to-do", "to$do"),
        ("_version", "_version"),
    ],
)
def test_names_are_spelled_as_they_can_be_renamed(name: str, wanted: str) -> None:
    assert spelled(name) == wanted


@pytest.mark.parametrize("prefix", ["a'b", "a b", "a.b", "[", "é", "1"])
async def test_names_that_ase_cannot_quote_are_refused(tmp_path: Path, prefix: str) -> None:
    uri = uri_of("sybase", tmp_path)
    with pytest.raises(Invalid, match="no names but"):
        await opened_at(uri, table_prefix=prefix)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("COMMIT", "COMMIT TRANSACTION"),
        ("RELEASE SAVEPOINT octonet_1", ""),
        ("ALTER TABLE [t] DROP COLUMN [c]", "ALTER TABLE [t] DROP [c]"),
        ("DROP INDEX [t].[i]", "DROP INDEX [t].i"),
        ("CREATE UNIQUE INDEX [i] ON [t] ([c] DESC)", "CREATE UNIQUE INDEX i ON [t] ([c] DESC)"),
        ("INSERT INTO [t] ([c]) VALUES (?)", "INSERT INTO [t] ([c]) VALUES (?)"),
        (
            "ALTER TABLE [t] RENAME COLUMN [c] TO [d]",
            "DECLARE @told INT\nIF EXISTS (SELECT 1 FROM syscolumns WHERE name = 'c' AND id IN"
            " (SELECT id FROM sysobjects WHERE name = 't' AND type = 'U' AND uid = USER_ID()))\n"
            "EXEC @told = sp_rename 't.c', 'd', 'column'\nELSE RAISERROR 20900 't.c is not there'\n"
            "IF @told != 0 RAISERROR 20901 'sp_rename refused t.c'",
        ),
        (
            "ALTER TABLE [t] DROP COLUMN IF EXISTS [c]",
            "IF EXISTS (SELECT 1 FROM syscolumns WHERE name = 'c' AND id IN (SELECT id FROM sysobjects WHERE name = 't'"
            " AND type = 'U' AND uid = USER_ID())) EXEC ('ALTER TABLE [t] DROP [c]')",
        ),
    ],
)
def test_definitions_are_said_in_ases_words(text: str, said: str) -> None:
    assert words(text) == said


async def test_of_rows_that_lack_a_value_or_do_not_count_any_number_may_be_alike(tmp_path: Path) -> None:
    async with opened("sybase", tmp_path) as database:
        await write(database, USER, stored(USER, "a", email="a", tenant="t"), stored(USER, "b", email="b", tenant="t"))
        gone = "2024-05-06T07:08:09.010Z"
        accounts = {"a": gone, "b": gone, "c": None}
        await write(database, ACCOUNT, *(stored(ACCOUNT, id, email="x", deletedAt=at) for id, at in accounts.items()))
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(ACCOUNT, [stored(ACCOUNT, "d", email="x")])
        await transaction.rollback()
    assert [fault.path for fault in refused.value.faults] == ["$.data.email"]


async def test_more_values_than_a_statement_takes_are_refused(tmp_path: Path) -> None:
    async with opened("sybase", tmp_path) as database:
        parts = tuple(Compare("age", Comparison.EQ, number) for number in range(2200))
        with pytest.raises(Invalid) as refused:
            await database.count(PERSON, And((Or(parts), Compare("name", Comparison.EQ, "x"))))
    assert refused.value.code == "FILTER_TOO_LARGE"


async def test_a_text_that_is_too_long_is_refused(tmp_path: Path) -> None:
    async with opened("sybase", tmp_path) as database:
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(PERSON, [stored(PERSON, "p", bio="x" * 4000)])
        await transaction.rollback()
    assert refused.value.code == "VALUE_TOO_LONG"


async def test_writers_of_one_prefix_take_turns_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
    uri = uri_of("sybase", tmp_path)
    options = {"query_timeout": 0.1}
    one, two = [await opened_at(uri, **options) for _ in range(2)]  # type: ignore[arg-type]
    other = await opened_at(uri, table_prefix="p_")
    transaction = await one.begin()
    with pytest.raises(StorageUnavailable, match="others keep their turn"):
        await two.begin()
    await (await other.begin()).rollback()
    await transaction.rollback()
    await (await two.begin()).rollback()
    for database in (one, two, other):
        await database.close()
