"""How each definition that a migration makes is undone. MariaDB commits at every definition: what its transactions
cannot take back is put back by statements of the opposite meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from octonet.dialects.engine.mariadb_ddl import drop_index
from octonet.kernel.errors import Internal

_N: Final = r"(`(?:[^`]|``)+`)"
DEFINES: Final = re.compile(r"\s*(?:ALTER|CREATE|DROP)\s")
FILLS: Final = re.compile(rf"UPDATE {_N} SET {_N}=\? WHERE {_N}\.{_N} IS NULL$")
"""A default for those rows of a column that have no value."""


class Step(msgspec.Struct, frozen=True):
    """One definition: what is done now, what undoes it, and what is left to do when all is committed."""

    now: str
    undo: str
    later: str = ""


class Steps:
    """Works out the steps of one migration. `prefix` is what tables that are put aside are called by, as it stands
    between backticks."""

    def __init__(self, prefix: str, indexes: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._indexes = indexes
        """The SQL of indexes that stand, by name: what dropping them is undone by."""

    def of(self, text: str, number: int) -> Step:
        """The step for a definition, as the engine writes it. Raises `Internal` for any other."""
        for form, make in _FORMS:
            if found := re.fullmatch(form, text, re.DOTALL):
                return make(self, text, number, *found.groups())
        raise Internal(f"nobody knows how to undo {text!r}")

    def _created(self, text: str, _: int, table: str) -> Step:
        return Step(text, f"DROP TABLE IF EXISTS {table}")

    def _dropped(self, _: str, number: int, table: str) -> Step:
        aside = f"`{self._prefix}octonet_gone_{number}`"
        return Step(
            f"ALTER TABLE {table} RENAME TO {aside}",
            f"ALTER TABLE {aside} RENAME TO {table}",
            f"DROP TABLE IF EXISTS {aside}",
        )

    def _renamed(self, text: str, _: int, table: str, to: str) -> Step:
        return Step(text, f"ALTER TABLE {to} RENAME TO {table}")

    def _renamed_column(self, text: str, _: int, table: str, column: str, to: str) -> Step:
        return Step(text, f"ALTER TABLE {table} RENAME COLUMN {to} TO {column}")

    def _added(self, text: str, _: int, table: str, column: str) -> Step:
        return Step(text, f"ALTER TABLE {table} DROP COLUMN IF EXISTS {column}")

    def _dropped_column(self, _: str, number: int, table: str, column: str) -> Step:
        aside = f"`_octonet_gone_{number}`"
        return Step(
            f"ALTER TABLE {table} RENAME COLUMN {column} TO {aside}",
            f"ALTER TABLE {table} RENAME COLUMN {aside} TO {column}",
            f"ALTER TABLE {table} DROP COLUMN IF EXISTS {aside}",
        )

    def _allowed_null(self, text: str, _: int, column: str) -> Step:
        return Step(text, f"{column} NOT NULL")

    def _refused_null(self, text: str, _: int, column: str) -> Step:
        return Step(text, f"{column} NULL")

    def _indexed(self, text: str, _: int, index: str, table: str) -> Step:
        return Step(text, drop_index(table, index))

    def _indexed_apart(self, text: str, _: int, table: str, index: str) -> Step:
        return Step(text, drop_index(table, index))

    def _dropped_index(self, _: str, number: int, table: str, index: str) -> Step:
        made = self._indexes.get(index[1:-1].replace("``", "`"))
        if made is None:
            raise Internal(f"nobody knows how the index {index} was made")
        return Step(drop_index(table, index), made)


_FORMS: Final[tuple[tuple[str, Callable[..., Step]], ...]] = (
    (rf"CREATE TABLE {_N} \(.*", Steps._created),
    (rf"DROP TABLE {_N}", Steps._dropped),
    (rf"ALTER TABLE {_N} RENAME TO {_N}", Steps._renamed),
    (rf"ALTER TABLE {_N} RENAME COLUMN {_N} TO {_N}", Steps._renamed_column),
    (rf"ALTER TABLE {_N} ADD COLUMN {_N} .* INVISIBLE, ADD UNIQUE INDEX .*", Steps._indexed_apart),
    (rf"ALTER TABLE {_N} ADD COLUMN {_N} .*", Steps._added),
    (rf"ALTER TABLE {_N} DROP COLUMN {_N}", Steps._dropped_column),
    (rf"(ALTER TABLE {_N[1:-1]} MODIFY COLUMN {_N[1:-1]} .*) NOT NULL", Steps._refused_null),
    (rf"(ALTER TABLE {_N[1:-1]} MODIFY COLUMN {_N[1:-1]} .*) NULL", Steps._allowed_null),
    (rf"CREATE (?:UNIQUE )?INDEX {_N} ON {_N} \(.*", Steps._indexed),
    (rf"ALTER TABLE {_N} DROP INDEX {_N}", Steps._dropped_index),
)
