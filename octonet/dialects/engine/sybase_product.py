"""SAP ASE as it is reached: pyodbc over FreeTDS, which systems have a package of, or over SAP's own driver."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from octonet.dialects.engine import odbc_driver
from octonet.dialects.engine.dbapi_driver import Failure, Raw
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.dbapi_locks import Turns
from octonet.dialects.engine.dbapi_product import Address, Product, unsized
from octonet.dialects.engine.ends import Verbatim
from octonet.dialects.engine.grammar import Cell
from octonet.dialects.engine.sybase_letters import kept, kept_bytes, told, told_bytes
from octonet.dialects.engine.sybase_words import NOT_THERE, inlined, words
from octonet.kernel.errors import Invalid

WRITTEN: Final = "sybase://user:password@host:5000/database"

_FREETDS: Final = "FreeTDS"
_FREE: Final = {"TDS_Version": "5.0", "ClientCharset": "UTF-8", "APP": "octonet"}
_SAP: Final = "Adaptive Server Enterprise"
_MOST_VALUES: Final = 2000
"""That one statement takes; the server's own limit is 2048."""
_TOO_MANY: Final = -1
"""Our number for more."""

_SESSION: Final = (
    "SET CHAINED OFF",
    "SET TRANSACTION ISOLATION LEVEL 1",
    "SET ANSINULL ON",
    # Else a long text would be cut in silence, on its way in and on its way out.
    "SET STRING_RTRUNCATION ON",
    "SET TEXTSIZE 2147483647",
)
_CHECKS: Final = (
    (
        "SELECT @@version",
        r"Adaptive Server Enterprise/(?:16\.(?:[1-9]|0 SP(?:0[2-9]|[1-9]\d))|1[7-9]\.|[2-9]\d\.)[\s\S]*",
        "16.0 SP02 or later is needed, which knows ROWS LIMIT",
    ),
    (
        "SELECT @@maxpagesize",
        "16384",
        "rows and indexes need pages of 16 KB, which are chosen when a server is made (dataserver -z16k)",
    ),
    (
        "SELECT value FROM master..syscurconfigs WHERE config = 131",
        "190",
        "its default character set has to be utf8 (charset binary.srt utf8, sp_configure 'default character set id')",
    ),
    (
        "SELECT value FROM master..syscurconfigs WHERE config = 123",
        "50",
        "its default sort order has to be binary, which is by code point (sp_configure 'default sortorder id', 50)",
    ),
    (
        "SELECT CASE WHEN CONVERT(VARBINARY(9), 'ä€😀') = 0xC3A4E282ACF09F9880 THEN 1 ELSE 0 END",
        "1",
        "texts do not reach it as they are: have the ODBC driver speak UTF-8 to it",
    ),
)
_PLACE: Final = (
    "SELECT 'sybase/' + @@servername + '/' + DB_NAME() + '/' + USER_NAME() + '/' + CONVERT(VARCHAR(30), crdate, 109)"
    " FROM master..sysdatabases WHERE dbid = DB_ID()"
)


def _connect(driver: Any, at: Address, within: float) -> Raw:
    name = _library(driver, at.options.get("driver", ""))
    said = {
        "DRIVER": name,
        "SERVER": at.host,
        "PORT": str(at.port),
        "DATABASE": at.database,
        "UID": at.user,
        "PWD": at.password,
    }
    if name == _SAP:
        return odbc_driver.connect(driver, odbc_driver.said(said | {"CharSet": "utf8"}), within)
    return odbc_driver.connect(driver, _freely(said | _FREE), within)


def _freely(said: Mapping[str, str]) -> str:
    """A connection string as FreeTDS reads it: a value ends with what ends a text in braces, and only there."""
    for name, value in said.items():
        if "};" in value:
            raise Invalid(f"FreeTDS takes no {name} with '}};' in it")
    return "".join(f"{name}={{{value}}};" for name, value in said.items())


def _library(driver: Any, asked: str) -> str:
    """The driver that the address names, or one that the system knows."""
    known = driver.drivers()
    for name in (asked,) if asked else (_FREETDS, _SAP):
        if name in known:
            return name
    there = f"; there are {', '.join(known)}" if known else ""
    raise Invalid(
        f"the ODBC driver {asked or _FREETDS} is not registered here{there}: install it (FreeTDS is Debian's tdsodbc),"
        " or name another one by ?driver= in the address",
        code="DRIVER_MISSING",
    )


def _bound(arguments: Sequence[Cell]) -> Sequence[object]:
    if len(arguments) > _MOST_VALUES:
        raise Failure(f"{len(arguments)} values, where {_MOST_VALUES} are taken", _TOO_MANY)
    return [_value(cell) for cell in arguments]


def _value(cell: Cell) -> object:
    if isinstance(cell, str):
        return cell if isinstance(cell, Verbatim) else kept(cell)
    if isinstance(cell, bytes):
        return kept_bytes(cell)
    return int(cell) if isinstance(cell, bool) else cell


def _read(value: object) -> Cell:
    if isinstance(value, str):
        return told(value)
    return told_bytes(value) if isinstance(value, bytes) else cast("Cell", value)


def _reason(failure: Failure) -> str:
    if failure.state == "28000" or failure.code == 4002:
        return "check the user and the password in SGBD_URI, and the server's logins"
    if failure.code in (911, 916):
        return "create the database, or name another one in SGBD_URI, and let the user into it (sp_adduser)"
    if failure.code == 1601:
        return "it takes no more sessions: raise its 'number of user connections', or lower DB_POOL_SIZE"
    return ""


_MEANINGS: Final = Meanings(
    taken=frozenset({2601, 2615, 2627}),
    missing=frozenset({233, 515}),
    too_long=frozenset({511, 9502}),
    no_index=frozenset(),
    late=frozenset(),
    # From 20000 on they are FreeTDS's own.
    gone=frozenset({20004, 20006, 20017, 20047}),
    away=frozenset({701, 921, 926, 930, 1105, 1204, 1601, 3475, 3906, 7412, 7413}),
    rights=frozenset({229, 230, 262, 567, 10330}),
    not_made=frozenset({207, 208}),
    rolled_back=frozenset({1205, 12205, 12207}),
    already_so=frozenset({1913, 2705, 2714, 3701, NOT_THERE}),
    # 306: a long text is compared with what is longer than any other.
    too_large=frozenset({_TOO_MANY, 306, 403, 404, 414}),
    pattern=frozenset(),
    key=re.compile(r"index '(.+?)'"),
    column=re.compile(r"(?:column '|The column )([^' ]+)"),
    table=re.compile(r"(?:INSERT INTO|UPDATE) \[([^\]]+)\]"),
    gone_states=("08",),
    late_states=("HYT00", "HY008"),
)

SYBASE: Final = Product(
    name="SAP ASE",
    dialect="sybase",
    port=5000,
    module=odbc_driver.MODULE,
    options=("driver",),
    connect=_connect,
    limit=odbc_driver.limit,
    cancel=odbc_driver.cancel,
    told=odbc_driver.told,
    bound=_bound,
    sized=unsized,
    read=_read,
    rest=odbc_driver.rest,
    said=inlined,
    counts_many=False,
    version="SELECT @@version",
    oldest=(16,),
    checks=_CHECKS,
    reading=_SESSION,
    writing=(*_SESSION, "SET LOCK WAIT 5"),
    begin="BEGIN TRANSACTION",
    snapshot="BEGIN TRANSACTION",
    place=_PLACE,
    # A table is locked as a whole within a transaction only, and never by a session.
    lock=Turns(
        make="CREATE TABLE [{name}] (turn INTEGER NOT NULL) LOCK DATAROWS",
        share=("LOCK TABLE [{name}] IN SHARE MODE WAIT {seconds}",),
        own=("LOCK TABLE [{name}] IN EXCLUSIVE MODE WAIT {seconds}",),
        kept=frozenset({12205, 12207}),
    ),
    words=words,
    meanings=_MEANINGS,
    reason=_reason,
)
