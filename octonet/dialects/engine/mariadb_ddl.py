"""How MariaDB's tables and indexes are written down.

MariaDB indexes a text by its beginning only, and has no index over some of the rows. Where a unique index holds texts,
or counts only rows that are not deleted, a column beside them, computed and seen by no `SELECT *`, holds what must
differ: a digest of the texts, or null where the row does not count. It is named like its index, and comes and goes with
it. Another index, over the beginnings, is there for queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.schema import CreateIndex

PARTIAL: Final = "mariadb_where"
COLLATION: Final = "utf8mb4_nopad_bin"
"""By code point, and blanks at the end of a text are part of it."""
_BEGINNING: Final = "_b"
"""What the name of the index over the beginnings ends with."""
LONGEST_NAME: Final = 64 - len(_BEGINNING)
_LONGEST_KEY: Final = 760
"""Letters of an index's texts together: 3072 bytes, at four a letter, less what numbers need."""
_LONGEST_BEGINNING: Final = 191

INDEX_APART: Final = "ALTER TABLE {table} ADD COLUMN {index} {type} INVISIBLE, ADD UNIQUE INDEX {rest}"
"""How a unique index is made that has such a column."""
_DROP_INDEX: Final = (
    "ALTER TABLE {table} DROP INDEX IF EXISTS {index}, DROP INDEX IF EXISTS {beginning}, DROP COLUMN IF EXISTS {index}"
)

sa.Index.argument_for("mariadb", "where", None)


def drop_index(table: str, index: str, made: str) -> str:
    """Removes an index, given by its quoted name, with all that came with it, whatever `made` it."""
    return _DROP_INDEX.format(table=table, index=index, beginning=beginning_of(index))


def beginning_of(index: str) -> str:
    """The index over the beginnings that stands beside an index; both names are quoted."""
    return f"{index[:-1]}{_BEGINNING}`"


class Definitions(MySQLDDLCompiler):
    """Of a dialect that has a `collation`."""

    def post_create_table(self, table: sa.Table) -> str:
        """What stands behind a table's columns."""
        collation: str = getattr(self.dialect, "collation", COLLATION)
        return f" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={collation} ROW_FORMAT=DYNAMIC"

    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        """An index, with the column that it needs."""
        index = create.element
        assert index.table is not None
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        condition = index.dialect_options["mariadb"]["where"]
        texts = [column for column in index.columns if _is_text(column)]
        if not index.unique:
            return f"CREATE INDEX {name} ON {table} ({self._terms(index, texts)}){self._types(index)}"
        if condition is None and not texts:
            return f"CREATE UNIQUE INDEX {name} ON {table} ({self._terms(index, texts)}){self._types(index)}"
        digest = self._digest([self.preparer.format_column(column) for column in texts])
        value = digest or "1"
        if condition is not None:
            where = self.sql_compiler.process(condition, include_table=False, literal_binds=True)
            value = f"IF({where}, {value}, NULL)"
        others = [self.preparer.format_column(column) for column in index.columns if not _is_text(column)]
        return (
            f"ALTER TABLE {table} ADD COLUMN {name} {'BINARY(32)' if digest else 'TINYINT'} AS ({value}) VIRTUAL"
            f" INVISIBLE, ADD UNIQUE INDEX {name} ({', '.join([*others, name])}){self._types(index)},"
            f" ADD INDEX {beginning_of(name)} ({self._terms(index, texts)})"
        )

    def _terms(self, index: sa.Index, texts: Sequence[sa.Column[Any]]) -> str:
        """The terms in their order, each text by its beginning."""
        room = min(_LONGEST_BEGINNING, _LONGEST_KEY // max(1, len(texts)))
        found: list[str] = []
        for expression, column in zip(index.expressions, index.columns, strict=True):
            descending = isinstance(expression, sa.UnaryExpression)
            beginning = f"({room})" if _is_text(column) else ""
            found.append(f"{self.preparer.format_column(column)}{beginning}{' DESC' if descending else ''}")
        return ", ".join(found)

    def _types(self, index: sa.Index) -> str:
        """The types are told, so that an index over a column which takes another type is another index."""
        types = ",".join(column.type.compile(dialect=self.dialect) for column in index.columns)
        return f" COMMENT '{types}'"

    @staticmethod
    def _digest(texts: Sequence[str]) -> str:
        digests = [f"SHA2({text}, 256)" for text in texts]
        if not digests:
            return ""
        return f"UNHEX({digests[0]})" if len(digests) == 1 else f"UNHEX(SHA2(CONCAT({', '.join(digests)}), 256))"


def _is_text(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, LONGTEXT)


class Compiler(MariaDBDialect):
    """SQLAlchemy's MariaDB with indexes of our own."""

    ddl_compiler = Definitions
    collation = COLLATION
