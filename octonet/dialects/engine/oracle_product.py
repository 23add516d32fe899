"""Oracle as its driver reaches it: python-oracledb in its thin mode, which needs no library of Oracle's."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

from octonet.dialects.engine.dbapi_driver import Cursor, Failure, Raw
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.dbapi_locks import NamedLock
from octonet.dialects.engine.dbapi_product import Address, Product, says_yes
from octonet.dialects.engine.grammar import Cell

WRITTEN: Final = "oracle://user:password@host:1521/service"

_NOTHING: Final = "\0"
"""Stands for a text without letters, which Oracle takes for no value. No other text holds this sign, and none is lower:
what is compared, ordered and unique stays so."""
_NO_BYTES: Final = b"\0"
"""The same for bytes: only digests are kept, and none is that short."""
_BINARY: Final = ("ALTER SESSION SET NLS_COMP = BINARY", "ALTER SESSION SET NLS_SORT = BINARY")
_PLACE: Final = (
    "SELECT 'oracle/' || SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME') || '/' || SYS_CONTEXT('USERENV', 'CON_NAME')"
    " || '/' || SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL"
)
_SAVEPOINT: Final = re.compile(r"RELEASE SAVEPOINT ")


class _OracleRaw(Raw, Protocol):
    call_timeout: int
    outputtypehandler: object

    def cancel(self) -> None: ...


def _connect(driver: Any, at: Address, within: float) -> Raw:
    secured = says_yes(at.options.get("ssl", ""))
    raw = cast(
        "_OracleRaw",
        driver.connect(
            user=at.user,
            password=at.password,
            host=at.host,
            port=at.port,
            service_name=at.database,
            protocol="tcps" if secured else "tcp",
            tcp_connect_timeout=within,
        ),
    )

    def whole(cursor: Any, about: Any) -> object:
        """Long texts come with their row, not by a second question."""
        if about.type_code is driver.DB_TYPE_CLOB:
            return cursor.var(driver.DB_TYPE_LONG, arraysize=cursor.arraysize)
        return None

    raw.outputtypehandler = whole
    return raw


def _limit(raw: Raw, seconds: float) -> None:
    cast("_OracleRaw", raw).call_timeout = max(1, math.ceil(seconds * 1000))


def _cancel(raw: Raw, cursor: Cursor | None) -> None:
    cast("_OracleRaw", raw).cancel()


def _told(error: Exception) -> Failure:
    """Numbers of the driver's own, ``DPY-4011``, are told below zero."""
    inner = error.args[0] if error.args else error
    found = re.match(r"(ORA|DPY)-0*(\d+)", str(getattr(inner, "full_code", "") or error))
    code = 0 if found is None else int(found[2]) * (1 if found[1] == "ORA" else -1)
    return Failure(str(error), code)


def _bound(arguments: Sequence[Cell]) -> Sequence[object]:
    return [_NOTHING if cell == "" else _NO_BYTES if cell == b"" else cell for cell in arguments]


def _sized(driver: Any, cursor: Cursor, lines: Sequence[Sequence[Cell]]) -> None:
    """A number with a fraction travels as it is: by itself it would become a decimal, which is never as small."""
    if any(isinstance(cell, float) for line in lines for cell in line):
        double = [any(isinstance(cell, float) for cell in column) for column in zip(*lines, strict=True)]
        cursor.setinputsizes(*(driver.DB_TYPE_BINARY_DOUBLE if each else None for each in double))


def _read(value: object) -> Cell:
    if value == _NOTHING:
        return ""
    return b"" if value == _NO_BYTES else cast("Cell", value)


def _number(lock: str) -> int:
    return int(lock[:12], 16) % 2**30


def _words(text: str) -> str:
    """A savepoint ends with its transaction."""
    return "" if _SAVEPOINT.match(text) else text


def _reason(failure: Failure) -> str:
    if failure.code in (1017, 1045, 28000, 28001, 1005, 1004):
        return "check the user and the password in SGBD_URI, and its right CREATE SESSION"
    if failure.code in (12505, 12514, -6001, -6003):
        return "name a service of the server (its lsnrctl services) in SGBD_URI"
    if failure.code in (18, 20, 12516, 12519, 12520):
        return "it takes no more sessions: raise its parameter SESSIONS, or lower DB_POOL_SIZE"
    if failure.code in (1033, 1034, 1089, 1090, 12528):
        return "it is starting or stopping: try again in a moment"
    return ""


_MEANINGS: Final = Meanings(
    taken=frozenset({1}),
    missing=frozenset({1400, 1407}),
    too_long=frozenset({1461, 12899, 1704}),
    no_index=frozenset(),
    late=frozenset({1013, -4024}),
    gone=frozenset({28, 1012, 1089, 1092, 2396, 3113, 3114, 3135, 12537, 12547, 12570, 12571, -1001, -4011}),
    away=frozenset(
        {18, 20, 30, 51, 54, 60, 257, 1033, 1034, 1109, 1456, 1536, 1552, 1555, 1628, 1631, 1652, 1653, 1654, 1658}
        | {1688, 1691, 4031, 8177, 16000, 19809, 19815, 30006, 30036, 12516, 12519, 12520, -4005, -6005}
    ),
    rights=frozenset({1031, 1950, 41900}),
    not_made=frozenset({904, 942}),
    rolled_back=frozenset({2091}),
    already_so=frozenset({904, 942, 955, 957, 1408, 1418, 1430, 1442, 1451}),
    # 1460 and 1461: a value is longer than any column that it could be compared with.
    too_large=frozenset({913, 1460, 1461, 1795, 1745, 7454}),
    pattern=frozenset({1424, 1425, *range(12722, 12734)}),
    key=re.compile(r"unique constraint \((?:[^.]+\.)?(.+?)\) violated"),
    column=re.compile(r'"\."((?:[^"])+)"[) ]'),
    table=re.compile(r'(?:INSERT INTO|UPDATE) "((?:[^"])+)"'),
)

ORACLE: Final = Product(
    name="Oracle Database",
    dialect="oracle",
    port=1521,
    module="oracledb",
    options=("ssl",),
    connect=_connect,
    limit=_limit,
    cancel=_cancel,
    told=_told,
    bound=_bound,
    sized=_sized,
    read=_read,
    counts_many=True,
    version="SELECT VERSION FROM PRODUCT_COMPONENT_VERSION WHERE PRODUCT LIKE 'Oracle%' FETCH FIRST 1 ROWS ONLY",
    oldest=(19,),
    checks=(
        (
            "SELECT VALUE FROM NLS_DATABASE_PARAMETERS WHERE PARAMETER = 'NLS_CHARACTERSET'",
            "AL32UTF8",
            "its character set has to be AL32UTF8, which orders texts by code point",
        ),
    ),
    reading=_BINARY,
    writing=(*_BINARY, "ALTER SESSION SET DDL_LOCK_TIMEOUT = 30"),
    begin="",
    snapshot="SET TRANSACTION READ ONLY",
    place=_PLACE,
    # Not given back by a commit: a migration commits at every definition.
    lock=NamedLock(
        take=lambda name, seconds: f"SELECT SYS.DBMS_LOCK.REQUEST({_number(name)}, 6, {seconds}) FROM DUAL",
        taken=lambda told: told in (0, 4),
        give_back=lambda name: f"SELECT SYS.DBMS_LOCK.RELEASE({_number(name)}) FROM DUAL",
    ),
    words=_words,
    meanings=_MEANINGS,
    reason=_reason,
)
