"""What HSQLDB's errors mean to a caller."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from octonet.dialects.engine import faults
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import ConstraintViolation, Invalid, OctonetError, StorageUnavailable, Unavailable


class JavaFailure(Exception):
    """An exception of the driver, told in Python: its SQLSTATE and HSQLDB's number, empty and 0 where it has none."""

    def __init__(self, text: str, state: str = "", code: int = 0) -> None:
        super().__init__(text)
        self.state = state
        self.code = code


FAILURES: Final = (JavaFailure, OSError)
"""All that a call of the driver can raise, apart from faults of ours. A timeout of ours is an `OSError` too."""

_TAKEN: Final = -104
_MISSING: Final = -10
_STALE: Final = -1252
_TIMED_OUT: Final = -4872
_GONE: Final = ("08",)
"""Beginnings of states."""
_ROLLED_BACK: Final = ("40",)
_AWAY: Final = ("53", "55", "57", "58", "25", "HYT", "0A501", "S1000")
_DOUBTFUL: Final = frozenset({-5501, -5504, -5503, -5505})
_NO_SUCH_OBJECT: Final = -5501
_PATTERN: Final = "2201B"
_FULL: Final = frozenset(range(-466, -450))
"""Files that cannot be written."""

_KEY: Final = re.compile(r'index violation\s*[:;]\s*(?:"((?:[^"]|"")+)"|(\w+))')
_TABLE: Final = re.compile(r'table: (?:"((?:[^"]|"")+)"|(\w+))')
_COLUMN: Final = re.compile(r'column: (?:"((?:[^"]|"")+)"|(\w+))')
_STATEMENT: Final = re.compile(r'^(?:INSERT INTO|UPDATE) "((?:[^"]|"")+)"')


def is_stale(error: JavaFailure) -> bool:
    """Whether a prepared statement is to be prepared anew: nothing of it was carried out."""
    return error.code == _STALE


def is_gone(error: JavaFailure) -> bool:
    """Whether the session is over."""
    return error.state.startswith(_GONE)


def is_rolled_back(error: BaseException) -> bool:
    """Whether the whole transaction was."""
    return isinstance(error, JavaFailure) and error.state.startswith(_ROLLED_BACK)


def is_taken(error: BaseException) -> bool:
    """Whether there is such a row."""
    return isinstance(error, JavaFailure) and error.code == _TAKEN


def is_done_before(error: BaseException) -> bool:
    """Whether this is what a definition is told where it was carried out before, or its opposite was."""
    return isinstance(error, JavaFailure) and error.code in _DOUBTFUL


def raise_meaning(
    error: BaseException, address: str, *, closed: bool, model: Model | None = None, statement: str = ""
) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is. `closed`
    tells that the session is; `statement` is what was run over tables of the model."""
    state, code, text = _told(error)
    if model is not None and (violation := _violation(code, state, text, model, statement)):
        raise violation from error
    if code == _TIMED_OUT:
        raise Unavailable("the query did not finish in time", code="QUERY_TIMEOUT") from error
    if closed or state.startswith(_GONE):
        raise faults.Lost(f"the connection to {address} was lost: {text}") from error
    if state.startswith((*_AWAY, *_ROLLED_BACK)) or code in _FULL or isinstance(error, OSError):
        raise StorageUnavailable(f"the database {address} is not available: {text}") from error
    if code == _NO_SUCH_OBJECT:
        raise StorageUnavailable(
            f"the tables of {address} are not made yet, or its user has no right to them: {text}"
        ) from error
    if state == _PATTERN:
        raise Invalid(f"the pattern cannot be run by this database: {text}", code="UNSUPPORTED_PATTERN") from error
    raise error


def _told(error: BaseException) -> tuple[str, int, str]:
    if isinstance(error, JavaFailure):
        return error.state, error.code, str(error)
    return "", 0, str(error) or type(error).__name__


def _violation(code: int, state: str, text: str, model: Model, statement: str) -> OctonetError | None:
    table = _name(_TABLE, text) or _name(_STATEMENT, statement)
    if code == _TAKEN:
        key = _name(_KEY, text)
        owner = _owner(model, key) or table
        return faults.taken(model, owner, faults.columns_of(model, owner, key))
    if code == _MISSING:
        return faults.missing(model, table, [_name(_COLUMN, text)])
    if state == "22001":
        return ConstraintViolation(f"a value is too long: {text}", code=faults.TOO_LONG)
    return None


def _owner(model: Model, index: str) -> str:
    """The table with this index: an index violated beside its own table's key is told without it."""
    for table in (*model.public, *model.private):
        if any(index == str(each.name) for each in table.indexes):
            return str(table.name)
    return ""


def _name(form: re.Pattern[str], text: str) -> str:
    found = form.search(text)
    if found is None:
        return ""
    quoted = found[1]
    return quoted.replace('""', '"') if quoted is not None else str(found[2])
