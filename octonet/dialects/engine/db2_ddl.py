"""How Db2's tables, indexes and pages are written down.

Db2 has no index over some of the rows, but keeps no entry where all terms are null, if that is asked for: each term of
a unique index is null unless all of its columns have a value, and the row counts. An entry has room for two texts: of
more, a unique index keeps digests, and another one the first two.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler, GenericTypeCompiler, SQLCompiler

from octonet.dialects.engine.comparing import Comparing
from octonet.dialects.engine.index_terms import descends

PARTIAL: Final = "db2_where"
LONGEST_NAME: Final = 128
LONGEST_TEXT: Final = 4000
"""Bytes of a text that can be compared, its end included: an entry of an index has 8192 in all, on pages of 32 K."""
_MOST_TEXTS: Final = 2
_SHA256: Final = 2
_LARGEST: Final = "256M"
"""Bytes of a text that is only kept."""


class _Definitions(DDLCompiler):
    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        index = create.element
        assert index.table is not None
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        if not index.unique:
            return f"CREATE INDEX {name} ON {table} ({', '.join(self._terms(index))})"
        terms = ", ".join(self._unique_terms(index))
        return f"CREATE UNIQUE INDEX {name} ON {table} ({terms}) EXCLUDE NULL KEYS"

    def _unique_terms(self, index: sa.Index) -> list[str]:
        names = {column: self.preparer.format_column(column) for column in index.columns}
        where = index.dialect_options["db2"]["where"]
        if where is None and len(names) == 1:
            return list(names.values())
        counts = [f"{name} IS NOT NULL" for name in names.values()]
        if where is not None:
            counts.append(self.sql_compiler.process(where, include_table=False, literal_binds=True))
        told = " AND ".join(counts)
        digests = sum(map(_is_text, names)) > _MOST_TEXTS
        return [
            f"CASE WHEN {told} THEN {f'HASH({name}, {_SHA256})' if digests and _is_text(column) else name} END"
            for column, name in names.items()
        ]

    def _terms(self, index: sa.Index) -> list[str]:
        terms: list[str] = []
        texts = 0
        for expression, column in zip(index.expressions, index.columns, strict=True):
            texts += _is_text(column)
            if texts > _MOST_TEXTS:
                break
            name = self.preparer.format_column(column)
            terms.append(f"{name} DESC" if descends(expression) else name)
        return terms


def _is_text(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.String)


class _Types(GenericTypeCompiler):
    """In bytes, whatever the database counts otherwise."""

    def visit_VARCHAR(self, type_: sa.String, **kw: Any) -> str:
        return f"VARCHAR({type_.length} OCTETS)"

    def visit_text(self, type_: sa.Text, **kw: Any) -> str:
        return f"CLOB({_LARGEST} OCTETS)"

    def visit_large_binary(self, type_: sa.LargeBinary, **kw: Any) -> str:
        return f"VARBINARY({type_.length})"


class _Statements(Comparing, SQLCompiler):
    """Conditions are no values: a function that is one stands by itself, and what always holds is a comparison."""

    def visit_null(self, expr: Any, **kw: Any) -> str:
        """What is selected has a type."""
        return "CAST(NULL AS VARCHAR(1))" if kw.get("within_label_clause") else "NULL"

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """The rows to skip stand before those to take; a parameter is given the type that both have."""
        text = ""
        if select._offset_clause is not None:
            text += f"\n OFFSET CAST({self.process(select._offset_clause, **kw)} AS BIGINT) ROWS"
        if select._limit_clause is not None:
            text += f"\n FETCH FIRST CAST({self.process(select._limit_clause, **kw)} AS BIGINT) ROWS ONLY"
        return text


class Compiler(DefaultDialect):
    """Never connected. `sa.Boolean` is the type of conditions only."""

    name = "db2"
    supports_statement_cache = False
    supports_native_boolean = True
    max_identifier_length = LONGEST_NAME
    statement_compiler = _Statements
    ddl_compiler = _Definitions
    type_compiler_cls = _Types
    construct_arguments = [(sa.Index, {"where": None})]  # noqa: RUF012 (as SQLAlchemy types it)


registry.register(Compiler.name, __name__, Compiler.__name__)
