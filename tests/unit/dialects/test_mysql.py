"""MySQL, as its stand-in is: only words that MySQL 8.0 knows, rows that travel together, lost connections; and the text
of what no stand-in can judge."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asyncmy.errors import IntegrityError, OperationalError

from octonet import dialects
from octonet.dialects.engine import standing
from octonet.dialects.engine.ddl import Migration
from octonet.dialects.engine.inventory import Inventory
from octonet.dialects.engine.mariadb_connection import rows_joined
from octonet.dialects.engine.mariadb_errors import raise_meaning
from octonet.dialects.engine.model import build
from octonet.dialects.engine.mysql_ddl import drop_index
from octonet.dialects.engine.mysql_product import MYSQL
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.writes import Writes
from octonet.dialects.mysql import GRAMMAR
from octonet.kernel.errors import ConstraintViolation, Invalid, StorageUnavailable, Unavailable
from octonet.kernel.filter import EVERYTHING, Like, Literal, Wild, Wildcard
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from tests import mariadb, mysql
from tests.conformance.dialect_cases import (
    ACCOUNT,
    GROUP,
    PERSON,
    SCHEMAS,
    USER,
    found,
    opened,
    page,
    row_of,
    stored,
    uri_of,
    write,
)
from tests.mysql_words import turned

MODEL = build(SCHEMAS, GRAMMAR)


async def opened_at(uri: str) -> Database:
    return await dialects.find("mysql").open(uri, SCHEMAS, DatabaseOptions())


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened("mysql", tmp_path) as database:
        yield database


# Rows


async def test_many_rows_are_inserted_by_few_statements(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened("mysql", tmp_path) as database:
        rows = [stored(GROUP, f"g{number:04}", title=f"t{number}") for number in range(1_000)]
        before = int(_said(tmp_path))
        await write(database, GROUP, *rows)
        assert int(_said(tmp_path)) - before < 40
        assert await database.count(GROUP, EVERYTHING) == 1_000
        assert await row_of(database, GROUP, "g0777") == {"id": "g0777", "title": "t777"}


def _said(folder: Path) -> str:
    told = mysql.server().sql("SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'", uri_of("mysql", folder).split("/")[-1])
    return told.split()[-1]


@pytest.mark.parametrize("count", [1, 2, 4, 5, 31, 36, 256, 257, 600])
def test_joined_rows_are_all_there_in_their_order(count: int) -> None:
    lines = [(number, f"n{number}") for number in range(count)]
    told = list(rows_joined("INSERT INTO `t` (`a`, `b`) VALUES (?, ?)", lines))
    assert [cell for _, cells in told for cell in cells] == [cell for line in lines for cell in line]
    assert all(text.count("?") == len(cells) for text, cells in told)
    assert len(told) <= count // 256 + 20


def test_what_is_no_plain_insert_is_run_row_by_row() -> None:
    for text in ("UPDATE `t` SET `a`=? WHERE `b` = ?", "INSERT INTO `t` (`a`) SELECT ?, ? FROM `u`"):
        assert list(rows_joined(text, [(1, 2), (3, 4)])) == [(text, [1, 2]), (text, [3, 4])]


def test_no_statement_takes_more_arguments_than_there_may_be() -> None:
    line = [0] * 1_000
    told = list(rows_joined(f"INSERT INTO `t` (`a`) VALUES ({', '.join('?' * 1_000)})", [line] * 300))
    assert max(len(cells) for _, cells in told) <= 65_535
    assert sum(len(cells) for _, cells in told) == 300_000


async def test_a_violation_among_many_rows_is_told_by_name_and_leaves_none(database: Database) -> None:
    transaction = await database.begin()
    await transaction.savepoint()
    rows = [stored(USER, f"u{number}", email=f"e{number % 99}") for number in range(100)]
    with pytest.raises(ConstraintViolation) as refused:
        await transaction.insert(USER, rows)
    assert [fault.path for fault in refused.value.faults] == ["$.data.email"]
    await transaction.rollback_to()
    assert await transaction.match(USER, EVERYTHING) == []
    await transaction.rollback()


# Deadlines and lost connections


async def test_a_query_past_its_deadline_is_refused_as_late(tmp_path: Path) -> None:
    late = OperationalError(3024, "Query execution was interrupted, maximum statement execution time exceeded")
    with pytest.raises(Unavailable) as refused:
        raise_meaning(late, "db", closed=False)
    assert refused.value.code == "QUERY_TIMEOUT"
    assert MYSQL.reading(1.5)[1] == "SET max_execution_time = 1500"
    assert MYSQL.reading(0.0)[1] == "SET max_execution_time = 1"


async def test_a_connection_that_was_ended_for_idleness_is_opened_again(tmp_path: Path, database: Database) -> None:
    await write(database, USER, stored(USER, "u", email="e"))
    await found(database, USER, EVERYTHING)
    _kill_all(tmp_path)
    await asyncio.sleep(0.1)
    await write(database, USER, stored(USER, "v", email="f"))
    assert await database.count(USER, EVERYTHING) == 2


async def test_a_transaction_whose_connection_is_ended_is_over_and_left_nothing(
    tmp_path: Path, database: Database
) -> None:
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "u", email="e")])
    _kill_all(tmp_path)
    with pytest.raises(StorageUnavailable):
        await transaction.commit()
    await transaction.rollback()
    assert await database.count(USER, EVERYTHING) == 0


def _kill_all(folder: Path) -> None:
    name = uri_of("mysql", folder).split("/")[-1]
    mine = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND user = 'octonet'"
    for thread in mysql.server().sql(mine, name).split():
        mysql.server().sql(f"KILL {thread}", name)


async def test_a_server_that_goes_away_in_the_middle_leaves_nothing_and_is_found_again(
    tmp_path: Path, database: Database
) -> None:
    transaction = await database.begin()
    await transaction.insert(USER, [stored(USER, "u", email="e")])
    with mysql.server().away():
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


# What is at the other end


async def test_a_mariadb_that_does_not_pose_is_refused(tmp_path: Path) -> None:
    plain = mariadb.server().uri(tmp_path).replace("mariadb://", "mysql://", 1)
    with pytest.raises(StorageUnavailable, match=r"-MariaDB.*: MySQL 8\.0\.23 or later is needed"):
        await opened_at(plain)


@pytest.mark.parametrize(
    ("version", "fits"),
    [("8.0.22", False), ("5.7.44-log", False), ("8.0.23", True), ("8.4.3", True), ("9.1.0", True),
     ("8.0.40-debug", True), ("5.5.5-10.11.19-MariaDB", False), ("11.4.2-MariaDB-log", False)],
)  # fmt: skip
def test_versions_from_8_0_23_on_fit(version: str, fits: bool) -> None:
    known = re.search(MYSQL.version, version)
    assert (known is not None and tuple(map(int, known.groups())) >= MYSQL.oldest) is fits


@pytest.mark.parametrize(
    "uri", ["", "mariadb://u:secret@h/d", "mysql://u:secret@host", "mysql://u:secret@h:x/d", "mysql://u:secret@h/d?x=1"]
)
async def test_what_is_no_address_is_refused_without_telling_the_password(uri: str) -> None:
    with pytest.raises(Invalid) as refused:
        await opened_at(uri)
    assert "secret" not in refused.value.message


async def test_errors_at_open_say_what_to_do(tmp_path: Path) -> None:
    good = uri_of("mysql", tmp_path)
    for uri, advice in (
        (f"{good}x", "CREATE DATABASE"),
        (good.replace(f":{mysql.server().front}/", ":1/"), "is MySQL running"),
        (good.replace("octonet:", "nobody:secret"), "check SGBD_URI"),
        (good.replace("octonet:p", "octonet:wrong"), "check SGBD_URI"),
    ):
        with pytest.raises(StorageUnavailable) as refused:
            await opened_at(uri)
        assert advice in refused.value.message
        assert "secret" not in refused.value.message


# What no stand-in can judge


def test_a_violation_that_names_the_table_before_its_key_is_understood() -> None:
    for key, path in (("user.uidx_user_email", "email"), ("user.PRIMARY", "id"), ("uidx_user_email", "email")):
        told = IntegrityError(1062, f"Duplicate entry 'a' for key '{key}'")
        with pytest.raises(ConstraintViolation) as refused:
            raise_meaning(told, "db", closed=False, model=MODEL, statement="INSERT INTO `user` (`id`) VALUES (?)")
        assert [fault.path for fault in refused.value.faults] == [f"$.data.{path}"]


@pytest.mark.parametrize("code", [3685, 3692, 3699])
def test_an_expression_that_cannot_be_run_is_told_as_such(code: int) -> None:
    with pytest.raises(Invalid) as refused:
        raise_meaning(OperationalError(code, "Timeout exceeded in regular expression match."), "db", closed=False)
    assert refused.value.code == "UNSUPPORTED_PATTERN"


def test_tables_are_collated_by_mysqls_own_rules() -> None:
    texts = Migration(MODEL, GRAMMAR, Inventory({}, frozenset())).statements(Strategy.CREATE)
    tables = [text for text in texts if text.startswith("CREATE TABLE")]
    assert all("COLLATE=utf8mb4_0900_bin" in text for text in tables)
    assert "SET NAMES utf8mb4 COLLATE utf8mb4_0900_bin" in MYSQL.common
    assert "transaction_isolation = 'REPEATABLE-READ'" in MYSQL.common


def test_a_unique_text_has_a_digest_that_no_select_sees() -> None:
    assert standing.of(MODEL, GRAMMAR).indexes["uidx_user_email"] == (
        "ALTER TABLE `user` ADD COLUMN `uidx_user_email` BINARY(32) AS (UNHEX(SHA2(`email`, 256))) VIRTUAL INVISIBLE,"
        " ADD UNIQUE INDEX `uidx_user_email` (`uidx_user_email`) COMMENT 'LONGTEXT',"
        " ADD INDEX `uidx_user_email_b` (`email`(191))"
    )


def test_indexes_go_without_a_word_for_what_may_not_be_there() -> None:
    indexes = standing.of(MODEL, GRAMMAR).indexes
    assert drop_index("`user`", "`uidx_user_email`", indexes["uidx_user_email"]) == (
        "ALTER TABLE `user` DROP INDEX `uidx_user_email`, DROP INDEX `uidx_user_email_b`, DROP COLUMN `uidx_user_email`"
    )
    assert drop_index("`people`", "`idx_people_0`", indexes["idx_people_0"]) == (
        "ALTER TABLE `people` DROP INDEX `idx_people_0`"
    )


def test_a_pattern_that_minds_no_case_is_matched_letter_by_letter() -> None:
    where = Like("name", (Literal("a.b"), Wild(Wildcard.MANY)), True)
    bound = Queries(MODEL, GRAMMAR).select(PERSON, page(where))
    assert "WHERE REGEXP_LIKE(`people`.`name`, ?, 'c') = 1 ORDER BY" in " ".join(bound.text.split())
    assert bound.arguments[0] == r"(?s)\A[aA]\.[bB].*\z"


def test_no_statement_gives_rows_back() -> None:
    writes = Writes(MODEL, GRAMMAR)
    for statement in (writes.insert(ACCOUNT), writes.update(ACCOUNT), writes.take_out(ACCOUNT)):
        assert "RETURNING" not in statement.text


# The interpreter


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO `t` (`a`) VALUES (?) RETURNING `a`",
        "ALTER TABLE `t` DROP COLUMN IF EXISTS `a`",
        "CREATE INDEX IF NOT EXISTS `i` ON `t` (`a`)",
        "SET max_statement_time = 1",
        "CREATE TABLE `t` (a INT) COLLATE=utf8mb4_nopad_bin",
    ],
)
def test_the_interpreter_refuses_what_mysql_does_not_know(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        turned(text)


def test_the_interpreter_turns_words_and_leaves_names_and_texts_alone() -> None:
    assert turned("SET max_execution_time = 1500") == "SET max_statement_time = 1.5"
    assert turned("SELECT 1 WHERE REGEXP_LIKE(`t`.`a`, ?, 'c')") == "SELECT 1 WHERE (`t`.`a` REGEXP ?)"
    assert turned("REGEXP_LIKE(anon_1.`a(b`, ?, 'c')") == "(anon_1.`a(b` REGEXP ?)"
    assert turned("SELECT `returning`, 'INDEX IF EXISTS'") == "SELECT `returning`, 'INDEX IF EXISTS'"
