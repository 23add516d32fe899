"""What only SQL Server has, or has not; H2 runs its SQL."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from octonet import dialects
from octonet.dialects.engine import dbapi_errors
from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.dbapi_product import Address
from octonet.dialects.engine.mssql_letters import kept, told
from octonet.dialects.engine.mssql_patterns import pattern
from octonet.dialects.engine.mssql_product import MSSQL
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.filter import And, Compare, Comparison, In, Like, Literal, Or, Wild, Wildcard
from octonet.kernel.storage import Database, DatabaseOptions
from tests import h2, h2_mssql
from tests.conformance.dialect_cases import PERSON, SCHEMAS, found, opened, stored, uri_of, write

ONE, MANY = Wild(Wildcard.ONE), Wild(Wildcard.MANY)


async def opened_at(uri: str, **options: str) -> Database:
    return await dialects.find("mssql").open(uri, SCHEMAS, DatabaseOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "a", "a ", "\t", "\ud7ff", "\ue000", "\uffff", "😀", "Ａ😀\ufffd"])
def test_a_text_comes_back_as_it_was_kept(text: str) -> None:
    assert told(kept(text)) == text
    assert kept(text).endswith("\0")


def test_by_16_bit_units_texts_are_ordered_as_by_code_point_and_blanks_at_their_end_count() -> None:
    texts = [
        "",
        " ",
        "a",
        "a\t",
        "a ",
        "a b",
        "é",
        "\ud7fe",
        "\ud7ff",
        "\ue000",
        "\ufffd",
        "\uffff",
        "\U00010000",
        "😀",
    ]
    units = [kept(text).encode("utf-16-be", "surrogatepass") for text in texts]
    assert units == sorted(units)
    assert len({unit.decode("utf-16-be", "surrogatepass").rstrip(" ") for unit in units}) == len(texts)


@pytest.mark.parametrize(
    ("parts", "ignore_case", "wanted"),
    [
        ((Literal("50%_[x]|"), MANY), False, ("like", "50|%|_|[x]||%")),
        ((Literal("aß-"), MANY), True, ("like", "[aA][ßẞ]-%")),
        ((Literal("a"), ONE), False, ("regex", r"(?s)^\x{61}(?:[^\x{d7ff}]|\x{d7ff}.)")),
        ((Literal("ａ"),), True, ("regex", r"(?s)^(?:\x{d7ff}\x{ff41}|\x{d7ff}\x{ff21})")),
    ],
)
def test_patterns_are_like_unless_letters_are_counted(
    parts: tuple[Literal | Wild, ...], ignore_case: bool, wanted: tuple[str, str]
) -> None:
    assert pattern(parts, ignore_case) == wanted


async def test_letters_of_two_units_and_of_any_case_are_found(tmp_path: Path) -> None:
    async with opened("mssql", tmp_path) as database:
        names = {"a": "😀", "b": "Ａx", "c": "ａX", "d": "\ufffd"}
        await write(database, PERSON, *(stored(PERSON, id, name=name) for id, name in names.items()))
        assert await found(database, PERSON, Like("name", (ONE,), False, False)) == ["a", "d"]
        assert await found(database, PERSON, Like("name", (Literal("ａx"),), True, False)) == ["b", "c"]


async def test_any_number_of_texts_and_of_whole_numbers_may_be_listed(tmp_path: Path) -> None:
    async with opened("mssql", tmp_path) as database:
        await write(database, PERSON, *(stored(PERSON, f"p{n}", name=f"n {n}", age=n) for n in (1, 9_999, 10_001)))
        for column, values in (("name", tuple(f"n {n}" for n in range(10_000))), ("age", tuple(range(10_000)))):
            assert await found(database, PERSON, In(column, values)) == ["p1", "p9999"]
            assert await found(database, PERSON, In(column, values, True)) == ["p10001"]


async def test_more_values_than_a_statement_takes_are_refused(tmp_path: Path) -> None:
    async with opened("mssql", tmp_path) as database:
        parts = tuple(Compare("age", Comparison.EQ, number) for number in range(2200))
        with pytest.raises(Invalid) as refused:
            await database.count(PERSON, And((Or(parts), Compare("name", Comparison.EQ, "x"))))
    assert refused.value.code == "FILTER_TOO_LARGE"


async def test_writers_of_one_prefix_take_turns_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
    uri = uri_of("mssql", tmp_path)
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
    uri = uri_of("mssql", tmp_path)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyodbc", None)
        with pytest.raises(Invalid, match=r"install octonet\[mssql\]") as refused:
            await opened_at(uri)
    assert refused.value.code == "DRIVER_MISSING"


def test_without_microsofts_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Invalid, match="msodbcsql18"):
        MSSQL.connect(SimpleNamespace(drivers=list), Address("mssql", "h", 1, "u", "p", "d", {}), 1)


def test_nothing_of_an_address_ends_a_value_of_what_the_library_is_told() -> None:
    told_: list[str] = []
    driver = SimpleNamespace(
        drivers=lambda: ["ODBC Driver 18 for SQL Server"], connect=lambda text, **_: told_.append(text)
    )
    MSSQL.connect(driver, Address("mssql", "h", 1, "u};UID={sa", "p}", "d", {"trust": "true"}), 1)
    assert told_ == [
        "DRIVER={ODBC Driver 18 for SQL Server};SERVER={tcp:h,1};DATABASE={d};UID={u}};UID={sa};PWD={p}}};"
        "APP={octonet};Encrypt={yes};TrustServerCertificate={yes}"
    ]


async def test_a_database_whose_readers_would_wait_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = uri_of("mssql", tmp_path)
    answer = h2_mssql.Words.answer

    def instead(self: h2_mssql.Words, text: str, connection: h2.Connection) -> list[tuple[object, ...]] | None:
        return [(0,)] if "snapshot_isolation_state" in text else answer(self, text, connection)

    monkeypatch.setattr(h2_mssql.Words, "answer", instead)
    with pytest.raises(StorageUnavailable, match="ALLOW_SNAPSHOT_ISOLATION"):
        await opened_at(uri)


async def test_a_value_that_does_not_fit_its_column_is_refused_by_its_name(tmp_path: Path) -> None:
    async with opened("mssql", tmp_path) as database:
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(PERSON, [stored(PERSON, "p", bio="x" * 8001)])
        await transaction.rollback()
    assert [fault.path for fault in refused.value.faults] == ["$.data.bio"]


@pytest.mark.parametrize(
    ("code", "state", "kind"),
    [
        (1205, "40001", StorageUnavailable),
        (9002, "42000", StorageUnavailable),
        (3906, "25000", StorageUnavailable),
        (0, "08S01", StorageUnavailable),
        (229, "42000", StorageUnavailable),
        (208, "42S02", StorageUnavailable),
        (0, "HYT00", Unavailable),
        (8003, "42000", Invalid),
        (195, "42000", Invalid),
        (50000, "42000", Failure),
    ],
)
def test_numbers_and_states_have_their_meaning(code: int, state: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        dbapi_errors.raise_meaning(MSSQL.meanings, Failure("no", code, state), "mssql://h/d", closed=False)


def test_the_number_is_found_in_what_the_driver_tells() -> None:
    text = "[23000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Cannot insert (x). (2601) (SQLExecDirectW)"
    failure = MSSQL.told(Exception("23000", text))
    assert (failure.code, failure.state) == (2601, "23000")
