"""HSQLDB's SQL: a small dialect of SQLAlchemy's, for its compilers only.

HSQLDB has no index over some of the rows. Where a unique index counts only rows that are not deleted, a generated
column beside the others, named like the index, is null for those that do not count: rows with a null differ from all
others.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler, GenericTypeCompiler, SQLCompiler

from octonet.dialects.engine.index_terms import descends
from octonet.dialects.engine.journal_steps import BETWEEN

INDEX_APART: Final = "ALTER TABLE {table} ADD COLUMN {index} INTEGER GENERATED ALWAYS AS {rest}"
PARTIAL: Final = "hsqldb_where"
LONGEST_NAME: Final = 128
COLLATION: Final = "OCTONET"
"""By 16-bit units, and blanks at the end of a text are part of it."""
LONGEST_TEXT: Final = 2**30
"""In 16-bit units."""


def drop_index(table: str, index: str, made: str) -> str:
    """Removes an index, by quoted names, with all that came with it."""
    return f"ALTER TABLE {table} DROP COLUMN {index}" if BETWEEN in made else f"DROP INDEX {index}"


class _Definitions(DDLCompiler):
    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        index = create.element
        assert index.table is not None
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        condition = index.dialect_options["hsqldb"]["where"]
        terms = [
            f"{self.preparer.format_column(column)}{' DESC' if descends(expression) else ''}"
            for expression, column in zip(index.expressions, index.columns, strict=True)
        ]
        unique = "UNIQUE " if index.unique else ""
        if condition is None:
            return f"CREATE {unique}INDEX {name} ON {table} ({', '.join(terms)})"
        where = self.sql_compiler.process(condition, include_table=False, literal_binds=True)
        return (
            f"ALTER TABLE {table} ADD COLUMN {name} INTEGER GENERATED ALWAYS AS (CASE WHEN {where} THEN 1 END){BETWEEN}"
            f"CREATE {unique}INDEX {name} ON {table} ({', '.join([*terms, name])})"
        )


class _Statements(SQLCompiler):
    def visit_select(self, select_stmt: Any, *args: Any, **kw: Any) -> str:
        """LIMIT 0 would mean no limit."""
        most = select_stmt._limit_clause
        if most is not None:
            select_stmt = select_stmt.where(sa.cast(most, sa.Integer()) > sa.literal_column("0"))
        return str(super().visit_select(select_stmt, *args, **kw))  # type: ignore[no-untyped-call]


class _Types(GenericTypeCompiler):
    def visit_large_binary(self, type_: sa.LargeBinary, **kw: Any) -> str:
        return f"VARBINARY({type_.length})"


class Compiler(DefaultDialect):
    """Never connected."""

    name = "hsqldb"
    supports_statement_cache = False
    supports_native_boolean = True
    max_identifier_length = LONGEST_NAME
    statement_compiler = _Statements
    ddl_compiler = _Definitions
    type_compiler_cls = _Types
    construct_arguments = [(sa.Index, {"where": None})]  # noqa: RUF012 (as SQLAlchemy types it)


registry.register(Compiler.name, __name__, Compiler.__name__)
