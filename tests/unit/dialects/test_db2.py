"""What only Db2 has, or has not; H2 runs its SQL."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from octonet import dialects
from octonet.dialects.engine import db2_failures, dbapi_errors
from octonet.dialects.engine.blocking import hung
from octonet.dialects.engine.db2_connection import MOST_VALUES, Db2Connection, Db2Cursor
from octonet.dialects.engine.db2_patterns import pattern
from octonet.dialects.engine.db2_product import DB2
from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.dbapi_product import Address
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.filter import And, Compare, Comparison, Like, Literal, Or, Wild, Wildcard
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import Database, DatabaseOptions
from tests import h2_db2
from tests.conformance.dialect_cases import ACCOUNT, PERSON, SCHEMAS, USER, found, opened, stored, uri_of, write

ONE, MANY = Wild(Wildcard.ONE), Wild(Wildcard.MANY)


async def opened_at(uri: str, **options: object) -> Database:
    return await dialects.find("db2").open(uri, SCHEMAS, DatabaseOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "ignore_case", "wanted"),
    [
        ((Literal("50%_|"), MANY, ONE), False, ("like", "50|%|_||%_")),
        ((MANY,), True, ("like", "%")),
        ((Literal("a.ß"), ONE, MANY), True, ("regex", r"(?s)\A[aA]\.[ßẞ]..*\x{0}\z")),
        ((Literal("％"), MANY), False, ("regex", r"(?s)\A％.*\x{0}\z")),
    ],
)
def test_patterns_are_like_unless_cases_or_fullwidth_signs_are_in_them(
    parts: tuple[Literal | Wild, ...], ignore_case: bool, wanted: tuple[str, str]
) -> None:
    language, text = pattern(parts, ignore_case)
    assert (language, DB2.bound([text])) == (wanted[0], [wanted[1] + ("\0" if language == "like" else "")])


async def test_fullwidth_signs_mean_themselves(tmp_path: Path) -> None:
    async with opened("db2", tmp_path) as database:
        await write(database, PERSON, stored(PERSON, "a", name="5％x"), stored(PERSON, "b", name="5yx"))
        assert await found(database, PERSON, Like("name", (Literal("5％"), ONE), False, False)) == ["a"]


def test_a_text_ends_with_a_sign_that_none_may_hold() -> None:
    assert DB2.bound(["", "a ", None, 1.5, True, b"x"]) == ["\0", "a \0", None, 1.5, 1, b"x"]
    assert [DB2.read(value) for value in ("a \0", "\0", "CATALOG", None, 1.5)] == ["a ", "", "CATALOG", None, 1.5]


async def test_a_text_that_ends_with_blanks_is_kept(tmp_path: Path) -> None:
    async with opened("db2", tmp_path) as database:
        await write(database, USER, stored(USER, "a", email="x"), stored(USER, "b", email="x "))
        assert await found(database, USER, Compare("email", Comparison.EQ, "x ")) == ["b"]
        assert await found(database, USER, Compare("email", Comparison.GT, "x")) == ["b"]


async def test_an_index_that_is_violated_is_told_by_what_it_holds(tmp_path: Path) -> None:
    async with opened("db2", tmp_path) as database:
        await write(database, USER, stored(USER, "a", email="x", tenant="t", number=1))
        for email, tenant, places in (("x", "u", ["email"]), ("y", "t", ["tenant", "number"])):
            transaction = await database.begin()
            with pytest.raises(ConstraintViolation) as refused:
                await transaction.insert(USER, [stored(USER, "b", email=email, tenant=tenant, number=1)])
            await transaction.rollback()
            assert [fault.path for fault in refused.value.faults] == [f"$.data.{place}" for place in places]


async def test_a_row_that_is_deleted_softly_gives_its_value_free(tmp_path: Path) -> None:
    async with opened("db2", tmp_path) as database:
        gone = [stored(ACCOUNT, id, email="x", deletedAt="2026-01-01T00:00:00.000Z") for id in ("a", "b")]
        others = [stored(ACCOUNT, "c", email="x"), stored(ACCOUNT, "d"), stored(ACCOUNT, "e")]
        await write(database, ACCOUNT, *gone, *others)
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation):
            await transaction.insert(ACCOUNT, [stored(ACCOUNT, "f", email="x")])
        await transaction.rollback()


async def test_a_value_that_is_missing_is_told_by_its_name(tmp_path: Path) -> None:
    async with opened("db2", tmp_path) as database:
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(USER, [stored(USER, "u")])
        await transaction.rollback()
    assert [fault.path for fault in refused.value.faults] == ["$.data.email"]


async def test_a_value_that_does_not_fit_its_column_is_refused_by_its_name(tmp_path: Path) -> None:
    async with opened("db2", tmp_path) as database:
        await write(database, PERSON, stored(PERSON, "fits", bio="x" * 3999))
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation) as refused:
            await transaction.insert(PERSON, [stored(PERSON, "p", bio="x" * 4000)])
        await transaction.rollback()
    assert refused.value.code == "VALUE_TOO_LONG"
    assert [fault.path for fault in refused.value.faults] == ["$.data.bio"]


async def test_more_texts_than_an_index_takes_are_unique_by_their_digests(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    thing = {
        "name": "Thing",
        "collection": "things",
        "fields": {name: {"type": "string"} for name in names},
        "indexes": [{"fields": names, "unique": True}, {"fields": names}],
    }
    schemas = parse(json.dumps([thing]))
    schema = schemas.entities["Thing"]
    async with opened("db2", tmp_path, schemas) as database:
        await write(database, schema, *(stored(schema, id, a="1", b="2") for id in ("1", "2")))
        await write(database, schema, stored(schema, "3", a="1", b="2", c="3"))
        transaction = await database.begin()
        with pytest.raises(ConstraintViolation):
            await transaction.insert(schema, [stored(schema, "4", a="1", b="2", c="3")])
        await transaction.rollback()


async def test_more_values_than_a_statement_takes_are_refused(tmp_path: Path) -> None:
    async with opened("db2", tmp_path) as database:
        parts = tuple(Compare("age", Comparison.EQ, number) for number in range(MOST_VALUES))
        with pytest.raises(Invalid) as refused:
            await database.count(PERSON, And((Or(parts), Compare("name", Comparison.EQ, "x"))))
    assert refused.value.code == "FILTER_TOO_LARGE"


async def test_writers_of_one_prefix_take_turns_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("octonet.dialects.engine.session_writer.LOCK_SECONDS", 0)
    uri = uri_of("db2", tmp_path)
    one, two = await opened_at(uri, query_timeout=0.1), await opened_at(uri, query_timeout=0.1)
    other = await opened_at(uri, table_prefix="p_")
    transaction = await one.begin()
    with pytest.raises(StorageUnavailable, match="others keep their turn"):
        await two.begin()
    await (await other.begin()).rollback()
    await transaction.rollback()
    await (await two.begin()).rollback()
    for database in (one, two, other):
        await database.close()


async def test_without_its_driver_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = uri_of("db2", tmp_path)
    monkeypatch.setitem(sys.modules, "ibm_db_dbi", None)
    with pytest.raises(Invalid, match=r"install octonet\[db2\]") as refused:
        await opened_at(uri)
    assert refused.value.code == "DRIVER_MISSING"


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("codeset", "ISO8859-1", "UTF-8"),
        ("db_collname", "SYSTEM_1252_US", "COLLATE USING IDENTITY"),
        ("pagesize", "4096", "PAGESIZE 32 K"),
        ("varchar2_compat", "ON", "DB2_COMPATIBILITY_VECTOR"),
        ("extended_row_sz", "DISABLE", "EXTENDED_ROW_SZ"),
    ],
)
async def test_a_database_that_was_made_otherwise_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, advice: str
) -> None:
    uri = uri_of("db2", tmp_path)
    monkeypatch.setitem(h2_db2.SETTINGS, name, value)
    with pytest.raises(StorageUnavailable, match=advice):
        await opened_at(uri)


@pytest.mark.parametrize(
    ("code", "state", "told"),
    [
        (-30082, "08001", "check the user"),
        (-30061, "08004", "name another one"),
        (-1060, "08004", "GRANT CONNECT"),
        (-30081, "08001", "nobody answers"),
    ],
)
async def test_who_is_not_let_in_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, state: str, told: str
) -> None:
    uri = uri_of("db2", tmp_path)

    def refuse(*_: object) -> object:
        raise h2_db2.Error("no", code, state)

    monkeypatch.setattr(sys.modules["ibm_db_dbi"], "connect", refuse)
    with pytest.raises(StorageUnavailable, match=told) as refused:
        await opened_at(uri)
    assert "secret" not in str(refused.value)


def test_the_driver_is_told_where_and_how_to_connect() -> None:
    heard: list[object] = []
    driver = SimpleNamespace(
        SQL_ATTR_AUTOCOMMIT=102, SQL_AUTOCOMMIT_ON=1, ibm_db=None, connect=lambda *told: heard.append(told)
    )
    options = {"ssl_ca": "/etc/ca.arm"}
    DB2.connect(driver, Address("db2", "h", 1, "u", "p=w", "d", options), 4.2)
    text = (
        "DATABASE=d;HOSTNAME=h;PORT=1;PROTOCOL=TCPIP;UID=u;PWD=p=w;ConnectTimeout=5;SECURITY=SSL;"
        "SSLServerCertificate=/etc/ca.arm;"
    )
    assert heard == [(text, "", "", "", "", {102: 1})]
    for password in ("a;UID=b", "a}", " a", "'a"):
        with pytest.raises(Invalid, match="in PWD") as refused:
            DB2.connect(driver, Address("db2", "h", 1, "u", password, "d", {}), 1)
        assert password not in str(refused.value)


@pytest.mark.parametrize(
    ("code", "state", "kind"),
    [
        (-911, "40001", StorageUnavailable),
        (-964, "57011", StorageUnavailable),
        (-1224, "55032", StorageUnavailable),
        (-99999, "08001", StorageUnavailable),
        (-551, "42501", StorageUnavailable),
        (-204, "42704", StorageUnavailable),
        (-952, "57014", Unavailable),
        (-101, "54001", Invalid),
        (-302, "22001", Invalid),
        (-20558, "2201S", Invalid),
        (-901, "58004", Failure),
    ],
)
def test_numbers_and_states_have_their_meaning(code: int, state: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        dbapi_errors.raise_meaning(DB2.meanings, Failure("no", code, state), "db2://h/d", closed=False)


@pytest.mark.parametrize(
    ("text", "code", "state"),
    [
        ("ibm_db_dbi::IntegrityError: Statement Execute Failed: [IBM][CLI Driver][DB2/LINUXX8664] SQL0803N  One or more"
         " values … SQLSTATE=23505 SQLCODE=-803", -803, "23505"),
        ("[IBM][CLI Driver] SQL30081N  A communication error has been detected.  SQLSTATE=08001", -30081, "08001"),
        ("[IBM][CLI Driver] CLI0109E  String data right truncation. SQLSTATE=22001 SQLCODE=-99999", -433, "22001"),
        ("Supplied parameter is invalid", 0, ""),
    ],
)  # fmt: skip
def test_the_number_is_found_in_what_the_driver_tells(text: str, code: int, state: str) -> None:
    failure = DB2.told(Exception(text))
    assert (failure.code, failure.state) == (code, state)


class Asked:
    """A connection that answers each question alike."""

    def __init__(self, rows: list[tuple[object, ...]]) -> None:
        self.rows = rows
        self.asked: list[object] = []

    def cursor(self) -> Any:
        return SimpleNamespace(
            execute=lambda text, arguments: self.asked.append(arguments), fetchall=lambda: self.rows, close=lambda: None
        )


def test_what_an_error_leaves_unsaid_is_asked_of_the_catalog() -> None:
    taken = Failure('… identified by "2" constrains table "S.t" …', -803)
    raw: Any = Asked([("uidx",)])
    assert db2_failures.explained(raw, taken, 'INSERT INTO "t" ("a") VALUES (?)', [["x"]]) == ' [index "uidx"]'
    missing = Failure('… NOT NULL column "TBSPACEID=2, TABLEID=5, COLNO=3" …', -407)
    assert db2_failures.explained(raw, missing, 'UPDATE "t" SET "a"=?', [[None]]) == ' [column "uidx"]'
    assert raw.asked == [("t", 2), ("t", 3)]
    raw = Asked([("a", 9), ("b", 9)])
    for text in ('INSERT INTO "t" ("x", "a", "b") VALUES (?, ?, ?)', 'UPDATE "t" SET "x"=?, "a"=?, "b"=? WHERE …'):
        lines: list[list[str | None]] = [["z" * 10, "12345678", None], ["", "é", "ééééx"]]
        assert db2_failures.explained(raw, Failure("", -302), text, lines) == ' [column "b"]'
    assert db2_failures.explained(raw, Failure("", -302), "SELECT 1", []) == ""


def test_the_driver_has_numbers_of_one_type_in_each_column() -> None:
    heard: list[object] = []
    cursor: Any = SimpleNamespace(executemany=lambda text, lines: heard.append(lines))
    Db2Cursor(None, cursor, 0).executemany("…", [["a", 1, 1, None], ["b", 2, 0.5, 3]])
    assert repr(heard) == "[[('a', 1, 1.0, None), ('b', 2, 0.5, 3)]]"


def test_each_statement_is_given_its_deadline_before_it_is_run() -> None:
    heard: list[object] = []
    cursor = SimpleNamespace(
        stmt_handler="s",
        prepare=lambda text: heard.append(("prepare", text)),
        execute=lambda text, arguments: heard.append(("execute", text, arguments)),
    )
    driver: Any = SimpleNamespace(SQL_ATTR_QUERY_TIMEOUT=0, set_option=lambda *told: heard.append(told))
    connection: Any = SimpleNamespace(cursor=lambda: cursor)
    raw = Db2Connection(driver, connection)
    DB2.limit(raw, 4.5)
    raw.cursor().execute("SELECT 1", [2])
    raw.cursor().execute("SELECT 2", [])
    assert heard[:3] == [("prepare", "SELECT 1"), ("s", {0: 5}, 0), ("execute", None, (2,))]
    assert heard[-1] == ("execute", None, None)


async def test_a_statement_that_hangs_is_left_to_itself_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    run = h2_db2.Cursor.execute

    def hanging(self: h2_db2.Cursor, text: None, arguments: Any) -> None:
        if "count(*)" in self._text:
            release.wait()
        run(self, text, arguments)

    async with opened("db2", tmp_path, options=DatabaseOptions(query_timeout=0.2)) as database:
        monkeypatch.setattr(h2_db2.Cursor, "execute", hanging)
        before = hung()
        with pytest.raises(Unavailable) as late:
            await database.count(PERSON, And(()))
        assert (late.value.code, hung()) == ("QUERY_TIMEOUT", before + 1)
        release.set()
