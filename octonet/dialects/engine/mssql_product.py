"""SQL Server as it is reached: pyodbc over Microsoft's own ODBC driver, which a package of Python's brings."""

from __future__ import annotations

import importlib.util
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from octonet.dialects.engine import odbc_driver, transact_sql
from octonet.dialects.engine.dbapi_driver import Failure, Raw
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.dbapi_locks import NamedLock
from octonet.dialects.engine.dbapi_product import Address, Product, says_yes, unsized
from octonet.dialects.engine.ends import Verbatim
from octonet.dialects.engine.grammar import Cell
from octonet.dialects.engine.mssql_letters import kept, told
from octonet.kernel.errors import Invalid

WRITTEN: Final = "mssql://user:password@host:1433/database"

_REGISTERED: Final = "ODBC Driver 18 for SQL Server"
_BROUGHT_BY: Final = "mssql_python_odbc"
_SNAPSHOT: Final = (
    "SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()",
    "1",
    "readers would wait for the writer: ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON",
)
_PLACE: Final = (
    "SELECT CONCAT('mssql/', CONVERT(VARCHAR(80), @@SERVERNAME), '/', DB_NAME(), '/', SCHEMA_NAME(), '/',"
    " (SELECT CONVERT(VARCHAR(40), create_date, 126) FROM sys.databases WHERE database_id = DB_ID()))"
)


def _connect(driver: Any, at: Address, within: float) -> Raw:
    said = {
        "DRIVER": _library(driver),
        "SERVER": f"tcp:{at.host},{at.port}",
        "DATABASE": at.database,
        "UID": at.user,
        "PWD": at.password,
        "APP": "octonet",
        "Encrypt": at.options.get("encrypt", "yes"),
        "TrustServerCertificate": "yes" if says_yes(at.options.get("trust", "")) else "no",
    }
    return odbc_driver.connect(driver, odbc_driver.said(said), within)


def _library(driver: Any) -> str:
    """Microsoft's driver: the one that the system knows, or else that of the package."""
    if _REGISTERED in driver.drivers():
        return _REGISTERED
    spec = importlib.util.find_spec(_BROUGHT_BY)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        found = sorted(Path(place).glob(f"libs/**/{_system()}/{platform.machine()}/**/libmsodbcsql-18*"))
        if found:
            return str(found[0])
    raise Invalid(
        f"Microsoft's {_REGISTERED} is not found: install octonet[mssql], or the driver itself (msodbcsql18)",
        code="DRIVER_MISSING",
    )


def _system() -> str:
    for mark, name in (("/etc/alpine-release", "alpine"), ("/etc/redhat-release", "rhel"), ("/etc/SUSE-brand", "suse")):
        if Path(mark).exists():
            return name
    return "debian_ubuntu"


def _bound(arguments: Sequence[Cell]) -> Sequence[object]:
    return [kept(cell) if isinstance(cell, str) and not isinstance(cell, Verbatim) else cell for cell in arguments]


def _read(value: object) -> Cell:
    return told(value) if isinstance(value, str) else cast("Cell", value)


def _lock(name: str, seconds: int) -> str:
    how = f"@Resource = 'octonet/{name}', @LockMode = 'Exclusive', @LockOwner = 'Session'"
    return (
        f"SET NOCOUNT ON; DECLARE @given INT; EXEC @given = sp_getapplock {how}, @LockTimeout = {seconds * 1000};"
        " SELECT @given"
    )


def _unlock(name: str) -> str:
    how = f"@Resource = 'octonet/{name}', @LockOwner = 'Session'"
    return f"SET NOCOUNT ON; DECLARE @given INT; EXEC @given = sp_releaseapplock {how}; SELECT @given"


def _reason(failure: Failure) -> str:
    if failure.state == "28000" or failure.code in (18456, 18452):
        return "check the user and the password in SGBD_URI, and the server's logins"
    if failure.code in (4060, 911):
        return "create the database, or name another one in SGBD_URI, and let the user into it"
    if "certificate" in str(failure):
        return "have a certificate that this machine trusts, or add ?trust=true to the address"
    return ""


_MEANINGS: Final = Meanings(
    taken=frozenset({2601, 2627}),
    missing=frozenset({515}),
    too_long=frozenset({2628, 8152}),
    no_index=frozenset({1946}),
    late=frozenset(),
    gone=frozenset({233, 6005, 10053, 10054, 10060, 17142, 40197, 40613, 64, 596}),
    away=frozenset(
        {701, 802, 845, 921, 927, 945, 1101, 1105, 1204, 1222, 1807, 3605, 3906, 3908, 3952, 3960, 3961, 3966, 9001}
        | {9002, 10928, 10929, 40501, 40544, 49918, 49919, 49920}
    ),
    rights=frozenset({229, 230, 262, 297, 300}),
    not_made=frozenset({207, 208}),
    rolled_back=frozenset({1205}),
    already_so=frozenset({2714, 3701, 3728, 15225, 15248}),
    too_large=frozenset({191, 8003, 8623, 8631, 8632, 10744}),
    # 195: there is no REGEXP_LIKE before 2025.
    pattern=frozenset({195, 506}),
    key=re.compile(r"(?:unique index|constraint|for the index) '(.+?)'"),
    column=re.compile(r"column '(.+?)'"),
    table=re.compile(r"(?:INSERT INTO|UPDATE) \[([^\]]+)\]"),
    gone_states=("08",),
    late_states=("HYT00", "HY008"),
)

MSSQL: Final = Product(
    name="SQL Server",
    dialect="mssql",
    port=1433,
    module=odbc_driver.MODULE,
    options=("encrypt", "trust"),
    connect=_connect,
    limit=odbc_driver.limit,
    cancel=odbc_driver.cancel,
    told=odbc_driver.told,
    bound=_bound,
    sized=unsized,
    read=_read,
    rest=odbc_driver.rest,
    counts_many=False,
    version="SELECT CAST(SERVERPROPERTY('ProductVersion') AS VARCHAR(40))",
    oldest=(13,),
    checks=(_SNAPSHOT,),
    reading=("SET TRANSACTION ISOLATION LEVEL SNAPSHOT",),
    writing=("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET LOCK_TIMEOUT 5000", "SET XACT_ABORT OFF"),
    begin="BEGIN TRANSACTION",
    snapshot="BEGIN TRANSACTION",
    place=_PLACE,
    lock=NamedLock(_lock, lambda told: told >= 0, _unlock),
    words=transact_sql.words,
    meanings=_MEANINGS,
    reason=_reason,
)
