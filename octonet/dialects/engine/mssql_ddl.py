"""How SQL Server's tables, indexes and pages are written down.

Two nulls are duplicates to a unique index: it holds only rows that have a value for all of its columns, and count. A
column of another type is made anew, which its indexes would stand against: a comment behind each tells its types, so
that it is another one when they change."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.mssql.base import MSDDLCompiler, MSDialect, MSSQLCompiler, MSTypeCompiler
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import SQLCompiler

from octonet.dialects.engine.comparing import Comparing
from octonet.dialects.engine.index_terms import descends, types_of

PARTIAL: Final = "mssql_where"
LONGEST_NAME: Final = 128
COLLATION: Final = "Latin1_General_100_BIN2"
LONGEST_TEXT: Final = 4000
"""16-bit units of a text that can be compared."""


class _Definitions(MSDDLCompiler):
    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        index = create.element
        assert index.table is not None
        names = [self.preparer.format_column(column) for column in index.columns]
        terms = [
            f"{name} DESC" if descends(expression) else name
            for expression, name in zip(index.expressions, names, strict=True)
        ]
        counts = [f"{name} IS NOT NULL" for name in names]
        where = index.dialect_options["mssql"]["where"]
        if where is not None:
            counts.append(self.sql_compiler.process(where, include_table=False, literal_binds=True))
        told = f" WHERE {' AND '.join(counts)}" if index.unique else ""
        unique = "UNIQUE " if index.unique else ""
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        return (
            f"CREATE {unique}INDEX {name} ON {table} ({', '.join(terms)}){told} /* {types_of(index, self.dialect)} */"
        )


class _Statements(Comparing, MSSQLCompiler):
    """Conditions are no values: a function that is one stands by itself, and what always holds is a comparison."""

    def translate_select_structure(self, select_stmt: Any, **kw: Any) -> Any:
        """As it stands: a server that knows OFFSET needs no numbers of rows."""
        return select_stmt

    def order_by_clause(self, select: Any, **kw: Any) -> str:
        """Where rows are limited an order is wanted, in a subselect, too; elsewhere none is asked for."""
        return str(SQLCompiler.order_by_clause(self, select, **kw))  # type: ignore[no-untyped-call]

    def get_select_precolumns(self, select: Any, **kw: Any) -> str:
        """TOP takes no rows, too; FETCH takes one at least, and stands only behind an OFFSET."""
        text = "DISTINCT " if select._distinct else ""
        if select._limit_clause is not None and select._offset_clause is None:
            text += f"TOP ({self.process(select._limit_clause, **kw)}) "
        return text

    def _row_limit_clause(self, cs: Any, **kw: Any) -> str:  # type: ignore[override]
        if cs._offset_clause is None:
            return ""
        return str(self.fetch_clause(cs, fetch_clause=cs._limit_clause, **kw))  # type: ignore[no-untyped-call]


class _Types(MSTypeCompiler):
    def visit_large_binary(self, type_: sa.LargeBinary, **kw: Any) -> str:
        return f"VARBINARY({type_.length})"


class Compiler(MSDialect):
    """Never connected. `sa.Boolean` is the type of conditions only."""

    supports_statement_cache = False
    supports_native_boolean = True
    statement_compiler = _Statements
    ddl_compiler = _Definitions
    type_compiler_cls = _Types
