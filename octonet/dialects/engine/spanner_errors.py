"""What Spanner's errors mean to a caller. Its states are few: the text tells which one it is."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from octonet.dialects.engine import dbapi_errors, faults
from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.spanner_names import told
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import ConstraintViolation, OctonetError

CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS = 1, 2, 3, 4, 5, 6
PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE = 7, 8, 9, 10, 11
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED = 12, 13, 14, 15, 16
"""Codes of gRPC."""
TAKEN, MISSING, TOO_LONG, NO_INDEX, ALREADY_SO, NOT_MADE, TOO_LARGE, PATTERN, GONE, UNKNOWN_PLACE = range(101, 111)
"""Codes of ours, beyond those."""

_ANY: Final = range(17)
_REFUSED: Final = (INVALID_ARGUMENT, RESOURCE_EXHAUSTED)
_MEANT: Final = tuple(
    (frozenset(codes), re.compile(text, re.IGNORECASE), code)
    for codes, text, code in (
        ((ALREADY_EXISTS, FAILED_PRECONDITION), r"uniqu\w+ violation|Row .*already exists", TAKEN),
        ((ALREADY_EXISTS,), r"Failed to insert row with primary key", TAKEN),
        ((FAILED_PRECONDITION,), r"null value for column|does not specify a non-null value", MISSING),
        (_ANY, r"exceeds the maximum size limit", TOO_LONG),
        (_ANY, r"Number of bytes for key of|key .*(?:too large|exceeds)", NO_INDEX),
        (_ANY, r"Duplicate (?:column )?name|already exists in", ALREADY_SO),
        ((NOT_FOUND,), r"(?:Session|Transaction) (?:was |does )?not (?:found|exist)", GONE),
        ((NOT_FOUND,), r"(?:Database|Instance) (?:does )?not (?:found|exist)", UNKNOWN_PLACE),
        (_ANY, r"(?:Table|Index|Column) not found|Unrecognized name|(?:does not have|is not) a column", NOT_MADE),
        # The emulator makes no definition while anybody writes; Spanner has it wait.
        ((FAILED_PRECONDITION,), r"concurrent schema change operation or read-write transaction", ABORTED),
        (_REFUSED, r"exceeds the maximum allowed|too (?:deep|many|long)|larger than max", TOO_LARGE),
        (_ANY, r"regular expression|pattern too large", PATTERN),
    )
)

MEANINGS: Final = Meanings(
    taken=frozenset({TAKEN, ALREADY_EXISTS}),
    missing=frozenset({MISSING}),
    too_long=frozenset({TOO_LONG}),
    no_index=frozenset({NO_INDEX}),
    late=frozenset({DEADLINE_EXCEEDED}),
    gone=frozenset({GONE}),
    away=frozenset({CANCELLED, UNKNOWN, INTERNAL, DATA_LOSS, RESOURCE_EXHAUSTED, UNAUTHENTICATED, UNKNOWN_PLACE}),
    rights=frozenset({PERMISSION_DENIED}),
    not_made=frozenset({NOT_MADE}),
    rolled_back=frozenset({ABORTED}),
    already_so=frozenset({ALREADY_SO, NOT_MADE}),
    too_large=frozenset({TOO_LARGE}),
    pattern=frozenset({PATTERN}),
    key=re.compile(r"index ([\w.]+)"),
    column=re.compile(r"(?:for column:|NOT NULL columns?:|for this column:) (?:\w+\.)?(\w+)"),
    table=re.compile(r"(?:INSERT(?: OR \w+)? INTO|UPDATE) `(\w+)`"),
)


def failure_of(text: str, code: int) -> Failure:
    """An error by its state and text."""
    for codes, form, meant in _MEANT:
        if code in codes and form.search(text):
            return Failure(text, meant)
    return Failure(text, code)


def is_done_before(error: BaseException) -> bool:
    """Whether this is what a definition is told where it was carried out before, or its opposite was."""
    return isinstance(error, Failure) and error.code in MEANINGS.already_so


def is_not_made(error: BaseException | None) -> bool:
    """Whether there is no such table."""
    return isinstance(error, Failure) and error.code in MEANINGS.not_made


def raise_meaning(
    error: BaseException, address: str, *, closed: bool, model: Model | None = None, statement: str = ""
) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is. `closed`
    tells that the session is; `statement` is what was run over tables of the model."""
    if model is not None and isinstance(error, Failure) and (violation := _violation(error, model, statement)):
        raise violation from error
    if isinstance(error, Failure) and error.code in MEANINGS.rolled_back:
        raise faults.Contended(f"another transaction of {address} was in the way: {error}") from error
    if isinstance(error, Failure) and error.code == UNAVAILABLE:
        raise faults.Lost(f"the database {address} does not answer: {error}") from error
    dbapi_errors.raise_meaning(MEANINGS, error, address, closed=closed)


def _violation(failure: Failure, model: Model, statement: str) -> OctonetError | None:
    text = str(failure)
    index, column = _name(MEANINGS.key, text), _name(MEANINGS.column, text)
    table = _owner(model, index) or _name(MEANINGS.table, statement)
    if failure.code in MEANINGS.taken:
        return faults.taken(model, table, faults.columns_of(model, table, index))
    if failure.code in MEANINGS.missing:
        return faults.missing(model, table, [column])
    if failure.code in MEANINGS.no_index and index:
        return faults.too_long(model, table, faults.columns_of(model, table, index))
    if failure.code in MEANINGS.too_long | MEANINGS.no_index:
        return ConstraintViolation(
            f"a value is too long: {text}",
            code=faults.TOO_LONG,
            faults=faults.places(model, table, [column] if column else [], "is too long for its column"),
        )
    return None


def _owner(model: Model, index: str) -> str:
    """The table with this index."""
    for table in (*model.public, *model.private):
        if index and any(index == str(each.name) for each in table.indexes):
            return str(table.name)
    return ""


def _name(form: re.Pattern[str], text: str) -> str:
    found = form.search(text)
    return told(found[1]) if found else ""
