"""Db2 as it is reached: IBM's own driver, which brings the library that it needs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final, cast

from octonet.dialects.engine import db2_connection, db2_failures
from octonet.dialects.engine.db2_connection import Db2Connection
from octonet.dialects.engine.dbapi_driver import Cursor, Failure, Raw
from octonet.dialects.engine.dbapi_locks import Turns
from octonet.dialects.engine.dbapi_product import CALLS, Address, Product, says_yes, unsized
from octonet.dialects.engine.ends import Verbatim, ended, unended
from octonet.dialects.engine.grammar import Cell
from octonet.kernel.errors import Invalid

WRITTEN: Final = "db2://user:password@host:50000/database"

_ENDS_A_VALUE: Final = re.compile(r"[;{}]|^[\s'\"]|\s$")
"""What a value of the driver's connection string may not hold, begin or end with."""
_SAVEPOINT: Final = re.compile(r"SAVEPOINT \w+")
_MADE: Final = "CREATE DATABASE … USING CODESET UTF-8 TERRITORY US COLLATE USING IDENTITY PAGESIZE 32 K"


def _connect(driver: Any, at: Address, within: float) -> Raw:
    said = {
        "DATABASE": at.database,
        "HOSTNAME": at.host,
        "PORT": str(at.port),
        "PROTOCOL": "TCPIP",
        "UID": at.user,
        "PWD": at.password,
        "ConnectTimeout": str(max(1, math.ceil(within))),
    }
    if says_yes(at.options.get("ssl", "")) or "ssl_ca" in at.options:
        said["SECURITY"] = "SSL"
    if "ssl_ca" in at.options:
        said["SSLServerCertificate"] = at.options["ssl_ca"]
    if wrong := [name for name, value in said.items() if _ENDS_A_VALUE.search(value)]:
        raise Invalid(f"{at.shown}: Db2's driver takes no semicolon, brace or outer blank in {wrong[0]}")
    text = "".join(f"{name}={value};" for name, value in said.items() if value)
    connection = driver.connect(text, "", "", "", "", {driver.SQL_ATTR_AUTOCOMMIT: driver.SQL_AUTOCOMMIT_ON})
    return Db2Connection(driver.ibm_db, connection)


def _limit(raw: Raw, seconds: float) -> None:
    cast("Db2Connection", raw).seconds = max(1, math.ceil(seconds))


def _leave(raw: Raw, cursor: Cursor | None) -> None:
    """Nothing that the driver does can be ended from another thread: it ends a statement at its deadline, and a
    connection when nobody has it any more."""


def _bound(arguments: Sequence[Cell]) -> Sequence[object]:
    return [_given(cell) for cell in arguments]


def _given(cell: Cell) -> object:
    if isinstance(cell, str) and not isinstance(cell, Verbatim):
        return ended(cell)
    return int(cell) if isinstance(cell, bool) else cell


def _read(value: object) -> Cell:
    return unended(value) if isinstance(value, str) else cast("Cell", value)


def _words(text: str) -> str:
    return f"{text} ON ROLLBACK RETAIN CURSORS" if _SAVEPOINT.fullmatch(text) else text


def _setting(name: str) -> str:
    return f"SELECT MAX(VALUE) FROM SYSIBMADM.DBCFG WHERE NAME = '{name}'"


def _reason(failure: Failure) -> str:
    if failure.state == "28000" or failure.code in (-30082, -1403, -1046):
        return "check the user and the password in SGBD_URI"
    if failure.code in (-30061, -1013, -1031, -1097):
        return "create the database, or name another one in SGBD_URI"
    if failure.code in (-1060, -551, -552):
        return "GRANT CONNECT, CREATETAB and BINDADD ON DATABASE, and USE OF TABLESPACE, to the user"
    if failure.code in (-1040, -1226):
        return "it takes no more connections: raise MAXAPPLS and MAX_CONNECTIONS, or lower DB_POOL_SIZE"
    if failure.code in (-1598, -8001, -8002):
        return "only Db2 for Linux, UNIX and Windows is spoken to"
    return ""


DB2: Final = Product(
    name="Db2",
    dialect="db2",
    port=50000,
    module="ibm_db_dbi",
    options=("ssl", "ssl_ca"),
    connect=_connect,
    limit=_limit,
    cancel=_leave,
    told=db2_failures.told,
    bound=_bound,
    sized=unsized,
    read=_read,
    counts_many=False,
    version="SELECT MAX(REPLACE(SERVICE_LEVEL, 'DB2 v', '')) FROM SYSIBMADM.ENV_INST_INFO",
    oldest=(11, 5),
    checks=(
        (_setting("codeset"), "UTF-8", f"its texts have to be in UTF-8: {_MADE}"),
        (_setting("db_collname"), "IDENTITY", f"its texts have to be ordered by code point: {_MADE}"),
        (_setting("pagesize"), "32768", f"an index has no room for its texts: {_MADE}"),
        (
            _setting("varchar2_compat"),
            "OFF",
            f"a text without letters is no NULL: unset DB2_COMPATIBILITY_VECTOR, {_MADE}",
        ),
        (
            _setting("extended_row_sz"),
            "ENABLE",
            "a row may be longer than a page: UPDATE DB CFG USING EXTENDED_ROW_SZ ENABLE",
        ),
    ),
    reading=("SET CURRENT SCHEMA SESSION_USER",),
    writing=("SET CURRENT SCHEMA SESSION_USER",),
    begin="BEGIN",
    snapshot="BEGIN",
    place=(
        "SELECT 'db2/' || CURRENT SERVER || '/' || CHAR(CREATE_TIME) || '/' || CURRENT SCHEMA FROM SYSCAT.SCHEMATA"
        " WHERE SCHEMANAME = 'SYSIBM'"
    ),
    lock=Turns(
        make='CREATE TABLE "{name}" ("turn" SMALLINT)',
        share=("SET CURRENT LOCK TIMEOUT {seconds}", 'LOCK TABLE "{name}" IN SHARE MODE'),
        own=("SET CURRENT LOCK TIMEOUT {seconds}", 'LOCK TABLE "{name}" IN EXCLUSIVE MODE'),
        kept=frozenset({-911, -913}),
    ),
    words=_words,
    meanings=db2_failures.MEANINGS,
    reason=_reason,
    calls={**CALLS, "BEGIN": db2_connection.begin},
    explained=db2_failures.explained,
)
