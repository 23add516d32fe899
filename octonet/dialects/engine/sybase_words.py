"""What the engine says, as SAP ASE says it: definitions and renames have words of their own there, names of indexes are
never quoted, and what decides what a statement is, or has no type, stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from octonet.dialects.engine import transact_sql
from octonet.dialects.engine.grammar import Cell

NOT_THERE: Final = 20900
"""Our number for a rename of what is not there."""
_REFUSED: Final = 20901

_NAME: Final = r"\[([^\]]+)\]"
_NOBODY: Final = 2**31 - 1
"""No answer has as many rows."""


def words(text: str) -> str:
    """A statement without arguments; empty where there is nothing to say."""
    for form, make in _FORMS:
        if found := form.fullmatch(text):
            return make(*found.groups())
    return transact_sql.words(text)


def inlined(text: str, arguments: Sequence[Cell]) -> tuple[str, Sequence[Cell]]:
    """A statement with those arguments in it that cannot be bound: how many rows, numbers of a column, nulls."""
    if None not in arguments and not _INLINED.search(text):
        return text, arguments
    values, bound = iter(arguments), list[Cell]()

    def write(found: re.Match[str]) -> str:
        if found[0] == "?":
            value = next(values)
            if value is None:
                return "NULL"
            bound.append(value)
            return "?"
        if found[0] == _CAST:
            return f"CAST({_double(next(values))}"
        return _limit(values, offset=found[1] is not None)

    return _PLACES.sub(write, text), bound


_CAST: Final = "CAST(?"
_INLINED: Final = re.compile(r"ROWS LIMIT \?|CAST\(\?")
_PLACES: Final = re.compile(r"ROWS LIMIT \?( OFFSET \?)?|CAST\(\?|\?")


def _limit(values: Iterator[Cell], *, offset: bool) -> str:
    limit, skipped = int(str(next(values))), int(str(next(values))) if offset else 0
    if limit == 0:
        return f"ROWS LIMIT 1 OFFSET {_NOBODY}"
    return f"ROWS LIMIT {min(limit, _NOBODY)}" + (f" OFFSET {min(skipped, _NOBODY)}" if skipped else "")


def _double(value: Cell) -> str:
    """A number that is read as a double, not as a decimal."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _table(table: str) -> str:
    return f"SELECT 1 FROM sysobjects WHERE name = '{table}' AND type = 'U' AND uid = USER_ID()"


def _part(parts: str, table: str, name: str) -> str:
    return f"SELECT 1 FROM {parts} WHERE name = '{name}' AND id IN ({_table(table).replace('1', 'id', 1)})"


def _renamed(there: str, what: str, told: str) -> str:
    """What it cannot do the procedure tells in words only, which are no error: the number that it returns makes one."""
    return (
        f"DECLARE @told INT\nIF EXISTS ({there})\nEXEC @told = sp_rename {told}\n"
        f"ELSE RAISERROR {NOT_THERE} '{what} is not there'\n"
        f"IF @told != 0 RAISERROR {_REFUSED} 'sp_rename refused {what}'"
    )


def _rename_table(table: str, to: str) -> str:
    return _renamed(_table(table), table, f"'{table}', '{to}'")


def _rename_column(table: str, column: str, to: str) -> str:
    there = _part("syscolumns", table, column)
    return _renamed(there, f"{table}.{column}", f"'{table}.{column}', '{to}', 'column'")


def _drop_column(table: str, column: str) -> str:
    return f"ALTER TABLE [{table}] DROP [{column}]"


def _drop_column_if_there(table: str, column: str) -> str:
    """Run as a text: what names a column that is not there is not even read."""
    return f"IF EXISTS ({_part('syscolumns', table, column)}) EXEC ('{_drop_column(table, column)}')"


def _drop_table_if_there(table: str) -> str:
    return f"IF EXISTS ({_table(table)}) DROP TABLE [{table}]"


def _drop_index(table: str, index: str) -> str:
    return f"DROP INDEX [{table}].{index}"


def _drop_index_if_there(table: str, index: str) -> str:
    return f"IF EXISTS ({_part('sysindexes', table, index)}) EXEC ('{_drop_index(table, index)}')"


def _create_index(unique: str, index: str, rest: str) -> str:
    return f"CREATE {unique}INDEX {index} ON {rest}"


_FORMS: Final[Sequence[tuple[re.Pattern[str], Callable[..., str]]]] = [
    (re.compile(form, re.DOTALL), make)
    for form, make in (
        (rf"ALTER TABLE {_NAME} RENAME TO {_NAME}", _rename_table),
        (rf"ALTER TABLE {_NAME} RENAME COLUMN {_NAME} TO {_NAME}", _rename_column),
        (rf"ALTER TABLE {_NAME} DROP COLUMN {_NAME}", _drop_column),
        (rf"ALTER TABLE {_NAME} DROP COLUMN IF EXISTS {_NAME}", _drop_column_if_there),
        (rf"DROP TABLE IF EXISTS {_NAME}", _drop_table_if_there),
        (rf"DROP INDEX {_NAME}\.{_NAME}", _drop_index),
        (rf"DROP INDEX IF EXISTS {_NAME}\.{_NAME}", _drop_index_if_there),
        (rf"CREATE (UNIQUE )?INDEX {_NAME} ON (.*)", lambda unique, *rest: _create_index(unique or "", *rest)),
    )
]
