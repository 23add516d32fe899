"""What SQLite's errors mean to a caller."""

from __future__ import annotations

import sqlite3
from typing import Final, NoReturn

from octonet.dialects.engine import faults
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Invalid, StorageUnavailable, Unavailable

_AWAY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_CLOSED: Final = "Cannot operate on a closed database."
_TOO_LARGE: Final = (
    "Expression tree is too large",
    "parser stack overflow",
    "too many SQL variables",
    "too many terms",
)


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 for an error of the Python module."""
    code: object = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF if isinstance(code, int) else 0


def raise_meaning(error: sqlite3.Error, path: str, model: Model | None = None) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is."""
    text, code = str(error), primary_code(error)
    if code == sqlite3.SQLITE_CONSTRAINT and model is not None:
        _raise_violation(error, text, model)
    if code == sqlite3.SQLITE_NOTADB:
        raise Invalid(f"{path} is not a SQLite database") from error
    if code in _AWAY or text == _CLOSED:
        raise StorageUnavailable(f"the database {path} is not available: {text}") from error
    if text.startswith("no such table"):
        raise StorageUnavailable(f"the tables of {path} are not made yet: {text}") from error
    if code == sqlite3.SQLITE_TOOBIG or text.startswith(_TOO_LARGE):
        raise Invalid(f"the request is too large for one statement: {text}", code="FILTER_TOO_LARGE") from error
    if code == sqlite3.SQLITE_INTERRUPT:
        raise Unavailable("the query was interrupted", code="QUERY_TIMEOUT") from error
    raise error


def _raise_violation(error: sqlite3.Error, text: str, model: Model) -> None:
    what, _, where = text.partition(" constraint failed: ")
    places = [place.rpartition(".") for place in where.split(", ")]
    table, columns = places[0][0], [column for _, _, column in places]
    if what == "UNIQUE":
        raise faults.taken(model, table, columns) from error
    if what == "NOT NULL":
        raise faults.missing(model, table, columns) from error
