"""How Oracle's tables and indexes are written down.

Oracle has no index over some of the rows, but keeps no entry where all terms are null: each term of a unique index is
null unless all of its columns have a value, and the row counts. It takes no two indexes over the same columns: those
that are not unique end with a constant, which also keeps rows without a value in them.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.oracle.base import OracleCompiler, OracleDDLCompiler, OracleDialect, OracleTypeCompiler
from sqlalchemy.schema import CreateIndex

from octonet.dialects.engine.comparing import Comparing
from octonet.dialects.engine.index_terms import descends

PARTIAL: Final = "oracle_where"
LONGEST_NAME: Final = 128
LONGEST_TEXT: Final = 4000
"""Bytes of a text that can be compared, unless the server was told to extend them."""
_PART: Final = 400
"""Letters of a text that an index of several columns keeps: its terms have room for 6,398 bytes in all."""

sa.Index.argument_for("oracle", "where", None)


class _Definitions(OracleDDLCompiler):
    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        index = create.element
        assert index.table is not None
        unique = "UNIQUE " if index.unique else ""
        terms = ", ".join(self._unique_terms(index) if index.unique else self._terms(index))
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        return f"CREATE {unique}INDEX {name} ON {table} ({terms})"

    def _unique_terms(self, index: sa.Index) -> list[str]:
        names = {column: self.preparer.format_column(column) for column in index.columns}
        where = index.dialect_options["oracle"]["where"]
        if where is None and len(names) == 1:
            return list(names.values())
        counts = [f"{name} IS NOT NULL" for name in names.values()]
        if where is not None:
            counts.append(self.sql_compiler.process(where, include_table=False, literal_binds=True))
        told = " AND ".join(counts)
        several = len(names) > 1
        return [
            f"CASE WHEN {told} THEN {_digest(name) if several and _is_text(column) else name} END"
            for column, name in names.items()
        ]

    def _terms(self, index: sa.Index) -> list[str]:
        several = len(index.columns) > 1
        terms: list[str] = []
        for expression, column in zip(index.expressions, index.columns, strict=True):
            name = self.preparer.format_column(column)
            term = f"SUBSTR({name}, 1, {_PART})" if several and _is_text(column) else name
            terms.append(f"{term} DESC" if descends(expression) else term)
        return [*terms, "0"]


def _is_text(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.String)


def _digest(name: str) -> str:
    return f"STANDARD_HASH({name}, 'SHA256')"


class _Types(OracleTypeCompiler):
    def visit_large_binary(self, type_: sa.LargeBinary, **kw: Any) -> str:
        return f"RAW({type_.length})"


class _Statements(Comparing, OracleCompiler):
    """Conditions are no values: a function that is one stands by itself, and what always holds is a comparison."""

    def _row_limit_clause(self, cs: Any, **kw: Any) -> str:  # type: ignore[override]
        """A number that is known from the start is bound like any other."""
        return str(self.fetch_clause(cs, fetch_clause=cs._limit_clause, **kw))  # type: ignore[no-untyped-call]


class Compiler(OracleDialect):
    """Never connected. As for a server of the oldest version: `sa.Boolean` is the type of conditions only."""

    name = "oracle"
    supports_statement_cache = False
    supports_native_boolean = True
    max_identifier_length = LONGEST_NAME
    statement_compiler = _Statements
    ddl_compiler = _Definitions
    type_compiler_cls = _Types
    server_version_info = (19,)
