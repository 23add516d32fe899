"""What MariaDB's errors mean to a caller."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from asyncmy.errors import MySQLError

from octonet.dialects.engine import faults
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import ConstraintViolation, Invalid, OctonetError, StorageUnavailable, Unavailable

FAILURES: Final = (MySQLError, OSError)
"""All that a call of the driver can raise, apart from faults of ours. A timeout of ours is an `OSError` too."""

DEADLOCK: Final = 1213
"""The server has rolled the whole transaction back."""
PACKET: Final = 1153

_ALREADY_SO: Final = frozenset({1050, 1051, 1054, 1060, 1061, 1091, 1146, 1176})
_TAKEN: Final = 1062
_MISSING: Final = frozenset({1048, 1364})
_TOO_LONG: Final = frozenset({1406, 1071})
_LATE: Final = frozenset({1317, 1969, 3024})
_STALE: Final = frozenset({1412, 1615})
_GONE: Final = frozenset({1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2055, 4031})
_AWAY: Final = frozenset(
    {1020, 1021, 1030, 1037, 1040, 1041, 1114, 1180, 1203, 1205, 1206, DEADLOCK, 1226, 1290, 1461, 1792, 1836, 3100}
)
"""The server, or its patience, is at its end: connections, memory, disk, read-only, a lock not given, a conflict."""
_RIGHTS: Final = frozenset({1044, 1142, 1143, 1227, 1370})
_NOT_MADE: Final = frozenset({1054, 1146, 1932})
_TOO_LARGE: Final = frozenset({1038, 1390, 1436, PACKET})
_PATTERN: Final = frozenset({1139, *range(3685, 3700)})
"""One number of MariaDB, those of the expressions of MySQL."""

_KEY: Final = re.compile(r"for key '(.+)'$", re.DOTALL)
_COLUMN: Final = re.compile(r"(?:Column|Field|for column) '(.+?)'")
_TABLE: Final = re.compile(r"^(?:INSERT INTO|UPDATE) `((?:[^`]|``)+)`")


def raise_meaning(
    error: BaseException, address: str, *, closed: bool, model: Model | None = None, statement: str = ""
) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is. `closed`
    tells that the connection is; `statement` is what was run over tables of the model."""
    code, text = code_of(error), _text(error)
    if model is not None and (violation := _violation(code, text, model, statement)):
        raise violation from error
    if code in _LATE:
        raise Unavailable("the query did not finish in time", code="QUERY_TIMEOUT") from error
    if code in _STALE:
        raise faults.Stale(f"the tables of {address} were changed under a statement: {text}") from error
    if code in _TOO_LARGE:
        raise Invalid(f"the request is too large for one statement: {text}", code="FILTER_TOO_LARGE") from error
    if closed or code in _GONE:
        raise faults.Lost(f"the connection to {address} was lost: {text}") from error
    if code in _AWAY or isinstance(error, OSError):
        raise StorageUnavailable(f"the database {address} is not available: {text}") from error
    if code in _RIGHTS:
        raise StorageUnavailable(f"the user of {address} may not do that ({text}): GRANT it the right") from error
    if code in _NOT_MADE:
        raise StorageUnavailable(f"the tables of {address} are not made yet: {text}") from error
    if code in _PATTERN:
        raise Invalid(f"the pattern cannot be run by this database: {text}", code="UNSUPPORTED_PATTERN") from error
    raise error


def already_so(error: BaseException) -> bool:
    """Whether a statement that makes, renames or drops something is told that this was done before."""
    return code_of(error) in _ALREADY_SO


def code_of(error: BaseException) -> int:
    """The server's or the client library's number of the error; 0 for errors of neither."""
    code: object = error.args[0] if isinstance(error, MySQLError) and error.args else 0
    return code if isinstance(code, int) else 0


def _text(error: BaseException) -> str:
    return str(error.args[1]) if len(error.args) > 1 else str(error) or type(error).__name__


def _violation(code: int, text: str, model: Model, statement: str) -> OctonetError | None:
    found = _TABLE.match(statement)
    table = found[1].replace("``", "`") if found else ""
    if code == _TAKEN and (key := _KEY.search(text)):
        # MySQL names the table, too.
        return faults.taken(model, table, faults.columns_of(model, table, key[1].removeprefix(f"{table}.")))
    if code in _MISSING and (column := _COLUMN.search(text)):
        return faults.missing(model, table, [column[1]])
    if code in _TOO_LONG and (column := _COLUMN.search(text)):
        return faults.too_long(model, table, [column[1]])
    if code in _TOO_LONG or (code == PACKET and table):
        return ConstraintViolation(f"a value is too long: {text}", code=faults.TOO_LONG)
    return None
