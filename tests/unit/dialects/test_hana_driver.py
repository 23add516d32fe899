"""How HANA's driver is told what to do, and what it tells; H2 stands in for it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from octonet import dialects
from octonet.dialects.engine import dbapi_errors
from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.dbapi_product import Address
from octonet.dialects.engine.hana_product import HANA, HanaRaw
from octonet.dialects.engine.model import build
from octonet.dialects.hana import GRAMMAR
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.storage import Database, DatabaseOptions
from tests import h2, h2_hana
from tests.conformance.dialect_cases import SCHEMAS, uri_of


async def opened_at(uri: str) -> Database:
    return await dialects.find("hana").open(uri, SCHEMAS, DatabaseOptions())


async def test_without_its_driver_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = uri_of("hana", tmp_path)
    monkeypatch.setitem(sys.modules, "hdbcli.dbapi", None)
    with pytest.raises(Invalid, match=r"install octonet\[hana\]") as refused:
        await opened_at(uri)
    assert refused.value.code == "DRIVER_MISSING"


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        (10, "authentication failed", "check the user"),
        (1034, "exceed maximum number of sessions", "takes no more sessions"),
        (18, "service shutting down", "try again in a moment"),
        (-10709, "Cannot create SSL context", "encrypt=true&validate=false"),
        (-10709, "Connection failed", "nobody answers"),
    ],
)
async def test_who_is_not_let_in_is_told_what_to_do(tmp_path: Path, code: int, text: str, told: str) -> None:
    uri = uri_of("hana", tmp_path)

    def refuse(**_: object) -> object:
        raise h2_hana.Error(code, text)

    sys.modules["hdbcli.dbapi"].connect = refuse  # type: ignore[attr-defined]
    with pytest.raises(StorageUnavailable) as refused:
        await opened_at(uri)
    assert told in refused.value.message
    assert "manager" not in refused.value.message


@pytest.mark.parametrize(
    ("words", "value", "told"),
    [
        ("SELECT VERSION", "2.00.048.05", r"2\.0\.50 or later"),
        ("'a ' OR", "folded", "compared by their letters"),
        ("LIKE_REGEXPR", "miscounted", "a letter beyond"),
    ],
)
async def test_a_server_that_is_older_or_told_to_see_texts_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, value: str, told: str
) -> None:
    uri = uri_of("hana", tmp_path)
    answer = h2_hana.Words.answer

    def instead(self: h2_hana.Words, text: str, connection: h2.Connection) -> list[tuple[object, ...]] | None:
        return [(value,)] if words in text else answer(self, text, connection)

    monkeypatch.setattr(h2_hana.Words, "answer", instead)
    with pytest.raises(StorageUnavailable, match=told):
        await opened_at(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "hana://u:secret@h",
        "hana://u:secret@h/a;b",
        "hana://u:secret@h:x/s",
        "mysql://u:secret@h/s",
        "hana://u:secret@h/s?x=1",
    ],
)
async def test_an_address_that_cannot_be_read_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert "secret" not in str(refused.value)


def test_what_an_address_says_is_told_to_the_driver() -> None:
    said: dict[str, object] = {}
    driver = SimpleNamespace(connect=lambda **told: said.update(told))
    options = {"encrypt": "true", "validate": "false", "schema": "S"}
    HANA.connect(driver, Address("hana", "h", 1, "u", "p", "d", options), 1.5)
    assert said == {
        "address": "h", "port": 1, "user": "u", "password": "p", "databaseName": "d", "autocommit": True,
        "connectTimeout": "1500", "reconnect": "FALSE", "encrypt": "true", "sslValidateCertificate": "false",
        "currentSchema": "S",
    }  # fmt: skip


def test_its_own_driver_knocks_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "hdbcli.dbapi", raising=False)
    driver = pytest.importorskip("hdbcli.dbapi", reason="octonet[hana] is not installed")
    with socket.create_server(("127.0.0.1", 0)) as door:
        at = Address("hana", "127.0.0.1", door.getsockname()[1], "u", "p", "d", {"encrypt": "false"})
        with pytest.raises(driver.Error) as refused:
            HANA.connect(driver, at, 0.5)
        visitor, _ = door.accept()
        with visitor:
            assert visitor.recv(64).startswith(b"\xff\xff\xff\xff\x04\x00\x14")
    assert HANA.told(refused.value).code == -10709


# What it says


class Driven:
    """As a connection of the driver's."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.alone = True

    def setautocommit(self, on: bool) -> None:
        self.alone = on

    def getautocommit(self) -> bool:
        return self.alone

    def commit(self) -> None:
        self.done.append("commit")

    def rollback(self) -> None:
        self.done.append("rollback")

    def cancel(self) -> None:
        self.done.append("cancel")

    def close(self) -> None:
        self.done.append("close")

    def cursor(self) -> Driven:
        return self

    def setquerytimeout(self, seconds: int) -> None:
        self.done.append(seconds)

    def execute(self, text: str, arguments: object) -> None:
        self.done.append(text)


def test_a_transaction_is_open_from_its_beginning_to_its_end_only() -> None:
    driven = Driven()
    raw = HanaRaw(driven)  # type: ignore[arg-type]
    raw.commit()
    raw.rollback()
    for end in (raw.commit, raw.rollback):
        raw.look()
        assert not driven.alone
        end()
        assert driven.alone
    level = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    assert driven.done == [level, "close", "commit", level, "close", "rollback"]


def test_a_statement_ends_in_time_and_what_does_not_is_cancelled() -> None:
    driven = Driven()
    raw = HanaRaw(driven)  # type: ignore[arg-type]
    HANA.limit(raw, 2.5)
    HANA.cancel(raw, raw.cursor())
    assert driven.done == [3, "cancel"]


def test_values_travel_as_the_driver_takes_them() -> None:
    assert list(HANA.bound([True, False, None, 1.5, "\uffff", b"x"])) == [1, 0, None, 1.5, "\ud7ff\uffff", b"x"]
    assert [HANA.read(value) for value in (memoryview(b"x"), "\ud7ff\uffff", None, 1)] == [b"x", "\uffff", None, 1]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (-10807, StorageUnavailable),
        (4, StorageUnavailable),
        (131, StorageUnavailable),
        (258, StorageUnavailable),
        (259, StorageUnavailable),
        (613, Unavailable),
        (139, Unavailable),
        (274, Invalid),
        (2, Failure),
    ],
)
def test_numbers_have_their_meaning(code: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        dbapi_errors.raise_meaning(HANA.meanings, Failure("no", code), "hana://h/d", closed=False)


@pytest.mark.parametrize(
    ("code", "text", "paths"),
    [
        (301, "unique constraint violated: Table(user), Index(uidx_user_email)", ["$.data.email"]),
        (
            301,
            "unique constraint violation in self check; indexname=idx_user_0, rc=55",
            ["$.data.tenant", "$.data.number"],
        ),
        (301, "unique constraint violated: Table(user), Index(_SYS_TREE_CS_#1_#0_#P0)", ["$.data.id"]),
        (301, "unique constraint violated: Table(user)", []),
        (287, 'cannot insert NULL or update to NULL: Not nullable "email" column', ["$.data.email"]),
        (274, 'inserted value too large for column: Failed in "tenant" column with the value', ["$.data.tenant"]),
    ],
)
def test_what_a_constraint_refuses_is_told_by_its_place(code: int, text: str, paths: list[str]) -> None:
    model = build(SCHEMAS, GRAMMAR)
    with pytest.raises(ConstraintViolation) as refused:
        dbapi_errors.raise_meaning(
            HANA.meanings,
            Failure(text, code),
            "hana://h/d",
            closed=False,
            model=model,
            statement='INSERT INTO "user" …',
        )
    assert [fault.path for fault in refused.value.faults] == paths
