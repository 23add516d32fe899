"""What only Oracle has, or has not; H2 runs its SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from octonet import dialects
from octonet.dialects.engine import dbapi_errors
from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.oracle_patterns import pattern
from octonet.dialects.engine.oracle_product import ORACLE
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.filter import Compare, Comparison, IsNull, Like, Literal, Wild, Wildcard
from octonet.kernel.storage import Database, DatabaseOptions
from tests import h2, h2_oracle
from tests.conformance.dialect_cases import PERSON, SCHEMAS, USER, found, opened, stored, uri_of, write

NAMED = [stored(PERSON, "a", name=""), stored(PERSON, "b"), stored(PERSON, "c", name="x")]
ONE, MANY = Wild(Wildcard.ONE), Wild(Wildcard.MANY)


async def opened_at(uri: str, **options: str) -> Database:
    return await dialects.find("oracle").open(uri, SCHEMAS, DatabaseOptions(**options))  # type: ignore[arg-type]


async def test_a_text_without_letters_is_a_value_and_no_null(tmp_path: Path) -> None:
    async with opened("oracle", tmp_path) as database:
        await write(database, PERSON, *NAMED)
        await write(database, USER, stored(USER, "u", email=""))
        assert await found(database, PERSON, IsNull("name", True)) == ["b"]
        assert await found(database, PERSON, Compare("name", Comparison.EQ, "")) == ["a"]
        assert await found(database, PERSON, Compare("name", Comparison.NE, "")) == ["c"]
        assert await found(database, PERSON, Compare("name", Comparison.LT, "x")) == ["a"]
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation):
            await transaction.insert(USER, [stored(USER, "v", email="")])
        await transaction.rollback()


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize(
    ("parts", "wanted"),
    [((), ["a"]), ((ONE,), ["c"]), ((MANY,), ["a", "c"]), ((MANY, ONE), ["c"]), ((Literal(""),), ["a"])],
)
async def test_a_text_without_letters_has_no_letter_that_a_pattern_asks_for(
    tmp_path: Path, parts: tuple[Literal | Wild, ...], wanted: list[str], ignore_case: bool
) -> None:
    async with opened("oracle", tmp_path) as database:
        await write(database, PERSON, *NAMED)
        assert await found(database, PERSON, Like("name", parts, ignore_case, False)) == wanted
        others = [id for id in ("a", "c") if id not in wanted]
        assert await found(database, PERSON, Like("name", parts, ignore_case, True)) == others


async def test_a_text_that_is_too_long_is_refused_by_its_name(tmp_path: Path) -> None:
    async with opened("oracle", tmp_path) as database:
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(PERSON, [stored(PERSON, "p", bio="x" * 4001)])
        await transaction.rollback()
    assert refused.value.code == "VALUE_TOO_LONG"
    assert [fault.path for fault in refused.value.faults] == ["$.data.bio"]


@pytest.mark.parametrize(("ignore_case", "letters"), [(False, 4001), (True, 513)])
def test_a_pattern_that_is_too_long_is_refused(ignore_case: bool, letters: int) -> None:
    with pytest.raises(Invalid) as refused:
        pattern((Literal("x" * letters),), ignore_case)
    assert refused.value.code == "UNSUPPORTED_PATTERN"


async def test_writers_of_one_prefix_take_turns_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
    uri = uri_of("oracle", tmp_path)
    one, two, other = await opened_at(uri), await opened_at(uri), await opened_at(uri, table_prefix="p_")
    transaction = await one.begin()
    with pytest.raises(StorageUnavailable, match="another process"):
        await two.begin()
    await (await other.begin()).rollback()
    await transaction.rollback()
    await (await two.begin()).rollback()
    for database in (one, two, other):
        await database.close()


async def test_without_its_driver_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = uri_of("oracle", tmp_path)
    monkeypatch.setitem(sys.modules, "oracledb", None)
    with pytest.raises(Invalid, match=r"install octonet\[oracle\]") as refused:
        await opened_at(uri)
    assert refused.value.code == "DRIVER_MISSING"


@pytest.mark.parametrize(
    ("code", "told"), [(1017, "check the user"), (12514, "name a service"), (12541, "nobody answers")]
)
async def test_who_is_not_let_in_is_told_what_to_do(tmp_path: Path, code: int, told: str) -> None:
    uri = uri_of("oracle", tmp_path)

    def refuse(**_: object) -> object:
        raise h2_oracle.DatabaseError(h2_oracle.Told(code, "no"))

    sys.modules["oracledb"].connect = refuse  # type: ignore[attr-defined]
    with pytest.raises(StorageUnavailable, match=told) as refused:
        await opened_at(uri)
    assert "tiger" not in str(refused.value)


async def test_an_older_server_and_another_character_set_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = uri_of("oracle", tmp_path)
    answer = h2_oracle.Words.answer
    for word, value, told in (("VERSION", "12.2.0.1.0", "19 or later"), ("CHARACTERSET", "WE8ISO8859P1", "AL32UTF8")):

        def instead(self: h2_oracle.Words, text: str, connection: h2.Connection, word: str = word, value: str = value):  # type: ignore[no-untyped-def]
            return [(value,)] if word in text else answer(self, text, connection)

        monkeypatch.setattr(h2_oracle.Words, "answer", instead)
        with pytest.raises(StorageUnavailable, match=told):
            await opened_at(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "oracle://u:secret@h",
        "oracle://u:secret@h/a;b",
        "oracle://u:secret@h:x/s",
        "mysql://u:secret@h/s",
        "oracle://u:secret@h/s?x=1",
    ],
)
async def test_an_address_that_cannot_be_read_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (3113, StorageUnavailable),
        (1653, StorageUnavailable),
        (16000, StorageUnavailable),
        (1031, StorageUnavailable),
        (942, StorageUnavailable),
        (-4024, Unavailable),
        (1013, Unavailable),
        (1795, Invalid),
        (12733, Invalid),
        (600, Failure),
    ],
)
def test_numbers_have_their_meaning(code: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        dbapi_errors.raise_meaning(ORACLE.meanings, Failure("no", code), "oracle://h/s", closed=False)


@pytest.mark.parametrize(("text", "code"), [("ORA-00001", 1), ("ORA-12899", 12899), ("DPY-4011", -4011), ("", 0)])
def test_the_drivers_own_numbers_are_told_below_zero(text: str, code: int) -> None:
    class Told:
        full_code = text

    assert ORACLE.told(Exception(Told())).code == code


def test_a_number_with_a_fraction_travels_as_the_double_it_is() -> None:
    told: list[tuple[object, ...]] = []

    class Cursor(h2.Cursor):
        def __init__(self) -> None:
            """Of no connection."""

        def setinputsizes(self, *kinds: object) -> None:
            told.append(kinds)

    driver: Any = type("Driver", (), {"DB_TYPE_BINARY_DOUBLE": "double"})
    ORACLE.sized(driver, Cursor(), [["a", 1, 2], ["b", 1e-300, 2]])
    ORACLE.sized(driver, Cursor(), [["a", 1, None]])
    assert told == [(None, "double", None)]
    assert list(ORACLE.bound(["", b"", "x", None, 0])) == ["\0", b"\0", "x", None, 0]


async def test_names_that_oracle_cannot_quote_are_refused(tmp_path: Path) -> None:
    uri = uri_of("oracle", tmp_path)
    with pytest.raises(Invalid, match="no names with"):
        await opened_at(uri, table_prefix='a"b')
