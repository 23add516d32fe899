"""How SAP ASE is reached, and what it means by what it says; H2 runs its SQL."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from octonet import dialects
from octonet.dialects.engine import blocking, dbapi_errors, dbapi_server
from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.dbapi_product import Address
from octonet.dialects.engine.odbc_driver import rest
from octonet.dialects.engine.sybase_product import SYBASE
from octonet.kernel.errors import Invalid, StorageUnavailable, Unavailable
from octonet.kernel.storage import Database, DatabaseOptions
from tests import h2, h2_mssql, h2_sybase
from tests.conformance.dialect_cases import SCHEMAS, uri_of

_SAP = "Adaptive Server Enterprise"


async def opened_at(uri: str) -> Database:
    return await dialects.find("sybase").open(uri, SCHEMAS, DatabaseOptions())


async def test_without_its_driver_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = uri_of("sybase", tmp_path)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyodbc", None)
        with pytest.raises(Invalid, match=r"install octonet\[sybase\]") as refused:
            await opened_at(uri)
    assert refused.value.code == "DRIVER_MISSING"


@pytest.mark.parametrize(("there", "asked"), [([], ""), (["Other"], ""), (["FreeTDS"], "Other")])
def test_without_a_library_it_says_what_to_install(there: list[str], asked: str) -> None:
    driver = SimpleNamespace(drivers=lambda: there)
    with pytest.raises(Invalid, match="tdsodbc") as refused:
        SYBASE.connect(driver, Address("sybase", "h", 1, "u", "p", "d", {"driver": asked}), 1)
    assert refused.value.code == "DRIVER_MISSING"


@pytest.mark.parametrize(
    ("there", "password", "more"),
    [
        (["FreeTDS", _SAP], "{p}", "PWD={{p}};TDS_Version={5.0};ClientCharset={UTF-8};APP={octonet};"),
        ([_SAP], "p}", "PWD={p}}};CharSet={utf8}"),
    ],
)
def test_nothing_of_an_address_ends_a_value_of_what_the_library_is_told(
    there: list[str], password: str, more: str
) -> None:
    told_: list[str] = []
    driver = SimpleNamespace(drivers=lambda: there, connect=lambda text, **_: told_.append(text))
    SYBASE.connect(driver, Address("sybase", "h", 5000, "u;UID=sa", password, "d", {}), 1)
    assert told_ == [f"DRIVER={{{there[0]}}};SERVER={{h}};PORT={{5000}};DATABASE={{d}};UID={{u;UID=sa}};{more}"]


def test_a_value_that_free_tds_would_end_is_refused() -> None:
    driver = SimpleNamespace(drivers=lambda: ["FreeTDS"])
    with pytest.raises(Invalid, match="no UID with '};'"):
        SYBASE.connect(driver, Address("sybase", "h", 5000, "u};UID={sa", "p", "d", {}), 1)


async def test_a_driver_that_ignores_its_deadline_is_given_up_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = uri_of("sybase", tmp_path)
    answered = threading.Event()
    monkeypatch.setattr(sys.modules["pyodbc"], "connect", lambda text, **_: answered.wait())
    monkeypatch.setattr(dbapi_server, "_CONNECT_SECONDS", 0.05)
    before = blocking.hung()
    with pytest.raises(StorageUnavailable, match="did not answer"):
        await opened_at(uri)
    assert blocking.hung() == before + 1
    answered.set()
    while blocking.hung() > before:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("word", "value", "advice"),
    [
        ("@@version", "Adaptive Server Enterprise/15.7/EBF 1", "16 or later"),
        ("@@version", "Adaptive Server Enterprise/16.0 GA PL01/EBF 1", "16.0 SP02"),
        ("@@maxpagesize", 4096, "16 KB"),
        ("config = 131", 1, "utf8"),
        ("config = 123", 52, "binary"),
        ("VARBINARY(9)", 0, "UTF-8"),
    ],
)
async def test_a_server_that_would_answer_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, value: object, advice: str
) -> None:
    uri = uri_of("sybase", tmp_path)
    answer = h2_sybase.Words.answer

    def instead(self: h2_sybase.Words, text: str, connection: h2.Connection) -> list[tuple[object, ...]] | None:
        return [(value,)] if word in text else answer(self, text, connection)

    monkeypatch.setattr(h2_sybase.Words, "answer", instead)
    with pytest.raises(StorageUnavailable, match=advice):
        await opened_at(uri)


@pytest.mark.parametrize(
    ("code", "state", "kind"),
    [
        (1205, "40001", StorageUnavailable),
        (12205, "42000", StorageUnavailable),
        (1105, "42000", StorageUnavailable),
        (3906, "25000", StorageUnavailable),
        (0, "08S01", StorageUnavailable),
        (20006, "HY000", StorageUnavailable),
        (10330, "42000", StorageUnavailable),
        (208, "42S02", StorageUnavailable),
        (20003, "HYT00", Unavailable),
        (414, "42000", Invalid),
        (306, "42000", Invalid),
        (50000, "42000", Failure),
    ],
)
def test_numbers_and_states_have_their_meaning(code: int, state: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        dbapi_errors.raise_meaning(SYBASE.meanings, Failure("no", code, state), "sybase://h/d", closed=False)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("Attempt to insert NULL value into column 'email', table 'd.dbo.t'; column does not allow nulls.", "email"),
        ("The column email in table user_ does not allow null values.", "email"),
    ],
)
def test_the_column_is_found_in_what_the_server_tells(text: str, column: str) -> None:
    matched = SYBASE.meanings.column.search(text)
    assert matched is not None
    assert matched[1] == column


@pytest.mark.parametrize(
    ("code", "told_"), [(4002, "check the user"), (911, "create the database"), (1601, "sessions"), (20009, "nobody")]
)
async def test_who_is_not_let_in_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, told_: str
) -> None:
    uri = uri_of("sybase", tmp_path)

    def refuse(text: str, **_: object) -> object:
        raise h2_mssql.Error("42000", f"[42000] [FreeTDS][SQL Server]no\n ({code}) (SQLDriverConnect)")

    monkeypatch.setattr(sys.modules["pyodbc"], "connect", refuse)
    with pytest.raises(StorageUnavailable, match=told_) as refused:
        await opened_at(uri)
    assert "secret" not in str(refused.value)


def test_an_error_of_a_later_statement_of_a_text_is_heard() -> None:
    class Cursor(h2.Cursor):
        def __init__(self) -> None:
            self.left = 2

        def nextset(self) -> bool:
            self.left -= 1
            if not self.left:
                raise h2_mssql.Error("42000", "sp_rename refused (20901) (SQL)")
            return True

    with pytest.raises(h2_mssql.Error):
        rest(Cursor())
