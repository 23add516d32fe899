"""What CockroachDB's errors mean to a caller. It speaks PostgreSQL's protocol and has its states, but tells only in
words which constraint was violated."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from octonet.dialects.engine import faults, postgres_errors
from octonet.dialects.engine.postgres_errors import state_of
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import OctonetError, StorageUnavailable

_AWAY: Final = ("40003", "55000", "55006", "XXA00", "XXC")
"""States in which nobody knows yet: a commit whose outcome is in doubt, a definition that is still under way."""
_ALREADY_SO: Final = frozenset({"42P01", "42P07", "42701", "42703", "42704", "42710"})

_CONSTRAINT: Final = re.compile(r'constraint "((?:[^"]|"")+)"')
_COLUMN: Final = re.compile(r'column "((?:[^"]|"")+)"')
_TABLE: Final = re.compile(r'^(?:INSERT INTO|UPDATE) "((?:[^"]|"")+)"')


def raise_meaning(error: BaseException, address: str, *, closed: bool, model: Model, statement: str) -> NoReturn:
    """Raise the kernel's error for this one; an error that means nothing to callers is raised as it is. `closed`
    tells that the connection is; `statement` is what was run over tables of the model."""
    state, text = state_of(error), str(error)
    if violation := _violation(state, text, model, statement):
        raise violation from error
    if state.startswith(_AWAY):
        raise StorageUnavailable(f"the database {address} is not available: {text}") from error
    postgres_errors.raise_meaning(error, address, closed=closed, model=model)


def already_so(error: BaseException) -> bool:
    """Whether a statement that makes, renames or drops something is told that this was done before."""
    return state_of(error) in _ALREADY_SO


def _violation(state: str, text: str, model: Model, statement: str) -> OctonetError | None:
    found = _TABLE.match(statement)
    table = _plain(found[1]) if found else ""
    if state == "23505" and (constraint := _CONSTRAINT.search(text)):
        return faults.taken(model, table, faults.columns_of(model, table, _plain(constraint[1])))
    if state == "23502" and (column := _COLUMN.search(text)):
        return faults.missing(model, table, [_plain(column[1])])
    return None


def _plain(name: str) -> str:
    return name.replace('""', '"')
