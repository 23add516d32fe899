"""What a server's numbers mean to a caller, by one table for each product."""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from octonet.dialects.engine import faults
from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import ConstraintViolation, Invalid, OctonetError, StorageUnavailable, Unavailable


class Meanings(msgspec.Struct, frozen=True):
    """Numbers of errors, by what they mean, and how their texts name things."""

    taken: frozenset[int]
    """Another row has it."""
    missing: frozenset[int]
    """A column cannot be null."""
    too_long: frozenset[int]
    """A value does not fit its column."""
    no_index: frozenset[int]
    """A value does not fit the index of its column."""
    late: frozenset[int]
    gone: frozenset[int]
    """The session is over."""
    away: frozenset[int]
    """The server, or its patience, is at its end: memory, disk, read-only, a lock not given."""
    rights: frozenset[int]
    not_made: frozenset[int]
    """There is no such table or column."""
    rolled_back: frozenset[int]
    """The whole transaction was undone."""
    already_so: frozenset[int]
    """What makes, renames or drops something is told that it was done before."""
    too_large: frozenset[int]
    """A statement names too much, or is too deep."""
    pattern: frozenset[int]
    key: re.Pattern[str]
    """Finds the constraint that is violated."""
    column: re.Pattern[str]
    table: re.Pattern[str]
    """Finds the table in a statement, by its quoted name."""
    gone_states: tuple[str, ...] = ()
    """Beginnings of SQLSTATEs that say the same as `gone`."""
    late_states: tuple[str, ...] = ()

    def is_gone(self, failure: Failure) -> bool:
        """Whether the session is over."""
        return failure.code in self.gone or bool(self.gone_states and failure.state.startswith(self.gone_states))

    def is_late(self, failure: Failure) -> bool:
        """Whether a statement took longer than it may."""
        return failure.code in self.late or bool(self.late_states and failure.state.startswith(self.late_states))


def raise_meaning(
    meanings: Meanings,
    error: BaseException,
    address: str,
    *,
    closed: bool,
    model: Model | None = None,
    statement: str = "",
) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is. `closed`
    tells that the session is; `statement` is what was run over tables of the model."""
    text = str(error) or type(error).__name__
    failure = error if isinstance(error, Failure) else Failure(text)
    if model is not None and (violation := _violation(meanings, failure, model, statement)):
        raise violation from error
    if meanings.is_late(failure):
        raise Unavailable("the query did not finish in time", code="QUERY_TIMEOUT") from error
    if failure.code in meanings.too_large:
        raise Invalid(f"the request is too large for one statement: {text}", code="FILTER_TOO_LARGE") from error
    if failure.code in meanings.pattern:
        raise Invalid(f"the pattern cannot be run by this database: {text}", code="UNSUPPORTED_PATTERN") from error
    if closed or meanings.is_gone(failure):
        raise faults.Lost(f"the connection to {address} was lost: {text}") from error
    if failure.code in meanings.away | meanings.rolled_back or isinstance(error, OSError):
        raise StorageUnavailable(f"the database {address} is not available: {text}") from error
    if failure.code in meanings.rights:
        raise StorageUnavailable(f"the user of {address} may not do that ({text}): GRANT it the right") from error
    if failure.code in meanings.not_made:
        raise StorageUnavailable(f"the tables of {address} are not made yet: {text}") from error
    raise error


def _violation(meanings: Meanings, failure: Failure, model: Model, statement: str) -> OctonetError | None:
    text, found = str(failure), meanings.table.match(statement)
    table = found[1] if found else ""
    column = meanings.column.search(text)
    named = [column[1]] if column else []
    if failure.code in meanings.taken:
        if key := meanings.key.search(text):
            return faults.taken(model, table, faults.columns_of(model, table, key[1]))
        return ConstraintViolation(f"another row already has the same values: {text}", code=faults.UNIQUE_VIOLATION)
    if failure.code in meanings.missing and named:
        return faults.missing(model, table, named)
    if failure.code in meanings.no_index and (key := meanings.key.search(text)):
        return faults.too_long(model, table, faults.columns_of(model, table, key[1]))
    if failure.code in meanings.too_long | meanings.no_index:
        return ConstraintViolation(
            f"a value is too long: {text}",
            code=faults.TOO_LONG,
            faults=faults.places(model, table, named, "is too long for its column"),
        )
    return None
