"""What PostgreSQL's errors mean to a caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import asyncpg

from octonet.dialects.engine import faults
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import ConstraintViolation, Invalid, OctonetError, StorageUnavailable, Unavailable

FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""All that a call of the driver can raise, apart from faults of ours. A timeout of ours is an `OSError` too."""

CONFLICT: Final = "40001"
"""Two transactions cannot both be: this one is to be tried anew."""
_AWAY: Final = ("08", "53", "57P", "58", "25P0", "25006", "55P03", "40P01")
"""Beginnings of states in which the server, or its patience, is at its end: connection, resources, shutdown, system,
idle too long, read-only after a failover, a lock not given, a conflict with another session."""
_NOT_MADE: Final = ("42P01", "42703", "3F000")
_TOO_LARGE: Final = ("54001", "54011", "54023")
_MANY_ARGUMENTS: Final = "the number of query arguments cannot exceed"


def raise_meaning(error: BaseException, address: str, *, closed: bool, model: Model | None = None) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is. `closed`
    tells that the connection is."""
    state, text = state_of(error), str(error)
    if state == "57014":
        raise Unavailable("the query did not finish in time", code="QUERY_TIMEOUT") from error
    if model is not None and (violation := _violation(error, state, model)):
        raise violation from error
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        raise faults.Stale(f"the tables of {address} were changed under a statement: {text}") from error
    if state == CONFLICT:
        raise faults.Contended(f"another session of {address} was in the way: {text}") from error
    if closed:
        raise faults.Lost(f"the connection to {address} was lost: {text}") from error
    if state.startswith(_AWAY) or isinstance(error, OSError):
        raise StorageUnavailable(f"the database {address} is not available: {text}") from error
    if state == "42501":
        raise StorageUnavailable(f"the user of {address} may not do that ({text}): GRANT it the right") from error
    if state in _NOT_MADE:
        raise StorageUnavailable(f"the tables of {address} are not made yet: {text}") from error
    if state in _TOO_LARGE or text.startswith(_MANY_ARGUMENTS):
        raise Invalid(f"the request is too large for one statement: {text}", code="FILTER_TOO_LARGE") from error
    if state == "2201B":
        raise Invalid(f"the pattern cannot be run by this database: {text}", code="UNSUPPORTED_PATTERN") from error
    if state == "22021":
        raise Invalid(f"a text cannot be kept by this database: {text}") from error
    raise error


def state_of(error: BaseException) -> str:
    """The SQLSTATE, empty for errors that did not come from the server."""
    state: object = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""


def _violation(error: BaseException, state: str, model: Model) -> OctonetError | None:
    table, constraint = _named(error, "table_name"), _named(error, "constraint_name")
    tell = _TOLD.get(state)
    if state == "23502":
        return faults.missing(model, table, [_named(error, "column_name")])
    if tell and constraint:
        return tell(model, table, faults.columns_of(model, table, constraint))
    # Beyond a page the server no longer says which index it is.
    return ConstraintViolation(f"a value is too long: {error}", code=faults.TOO_LONG) if state == _LIMIT else None


_LIMIT: Final = "54000"
_TOLD: Final[dict[str, Callable[[Model, str, Sequence[str]], OctonetError]]] = {
    "23505": faults.taken,
    _LIMIT: faults.too_long,
}


def _named(error: BaseException, what: str) -> str:
    return str(getattr(error, what, None) or "")
