"""How SAP ASE's tables, indexes and pages are written down: a small dialect of SQLAlchemy's, for its compilers only.

ASE has no index over some of the rows, and two nulls are duplicates to a unique index: its last term is the id of a row
that lacks a value or does not count, and null in all others. An index has room for texts of a declared length: where it
would be too wide, one for queries ends early, and a unique one holds digests. A comment behind each tells its columns'
types: a column that becomes another one is in the way of its indexes, which are then made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler, GenericTypeCompiler, IdentifierPreparer, SQLCompiler

from octonet.dialects.engine.comparing import Comparing
from octonet.dialects.engine.index_terms import descends
from octonet.dialects.engine.sybase_letters import LAST_BYTE

PARTIAL: Final = "sybase_where"
LONGEST_NAME: Final = 253
LONGEST_TEXT: Final = 4000
"""Bytes of a text that can be compared."""
LONGEST_KEY: Final = 1024
"""Bytes of an id."""
_ROOM: Final = 5200
"""Bytes of an index's terms together, where pages have 16 KB."""
_NUMBER: Final = 8


class _Definitions(DDLCompiler):
    def get_column_specification(self, column: sa.Column[Any], **kwargs: Any) -> str:
        """A column takes no nulls unless that is said."""
        return f"{super().get_column_specification(column, **kwargs)}{' NULL' if column.nullable else ''}"

    def post_create_table(self, table: sa.Table) -> str:
        return " LOCK DATAROWS"

    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        index = create.element
        assert index.table is not None
        unique = "UNIQUE " if index.unique else ""
        terms = ", ".join(self._unique_terms(index) if index.unique else self._terms(index))
        types = ", ".join(self._type(column) for column in index.columns)
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        return f"CREATE {unique}INDEX {name} ON {table} ({terms}) /* {types} */"

    def _terms(self, index: sa.Index) -> Iterator[str]:
        room = _ROOM
        for expression, column in zip(index.expressions, index.columns, strict=True):
            room -= _width(column)
            if room < 0:
                return
            yield f"{self.preparer.format_column(column)}{' DESC' if descends(expression) else ''}"

    def _unique_terms(self, index: sa.Index) -> Iterator[str]:
        counts = [column.is_not(None) for column in index.columns if column.nullable]
        where = index.dialect_options["sybase"]["where"]
        if where is not None:
            counts.append(where)
        if sum(map(_width, index.columns)) + LONGEST_KEY <= _ROOM:
            yield from self._terms(index)
        else:
            yield from map(self._digest, index.columns)
        if counts:
            assert index.table is not None
            (key,) = index.table.primary_key
            out = " OR ".join(self._condition(sa.not_(each)) for each in counts)
            yield f"CASE WHEN {out} THEN {self.preparer.format_column(key)} END"

    def _digest(self, column: sa.Column[Any]) -> str:
        name = self.preparer.format_column(column)
        return f"HASHBYTES('sha1', {name})" if isinstance(column.type, sa.String) else name

    def _condition(self, condition: sa.ColumnElement[bool]) -> str:
        return self.sql_compiler.process(condition, include_table=False, literal_binds=True)

    def _type(self, column: sa.Column[Any]) -> str:
        null = "NULL" if column.nullable else "NOT NULL"
        return f"{self.dialect.type_compiler_instance.process(column.type)} {null}"


def _width(column: sa.Column[Any]) -> int:
    return (column.type.length or 0) if isinstance(column.type, sa.String) else _NUMBER


class _Statements(Comparing, SQLCompiler):
    """Conditions are no values: what always holds is a comparison. Long texts are asked for nothing but what they are
    like."""

    def visit_is__binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._null(binary, " IS ", 0, **kw)

    def visit_is_not_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._null(binary, " IS NOT ", 1, **kw)

    def limit_clause(self, select: Any, **kw: Any) -> str:
        text = f"\n ROWS LIMIT {self.process(select._limit_clause, **kw)}"
        if select._offset_clause is not None:
            text += f" OFFSET {self.process(select._offset_clause, **kw)}"
        return text

    def _null(self, binary: Any, operator: str, has_letters: int, **kw: Any) -> str:
        if isinstance(binary.left.type, sa.Text) and isinstance(binary.right, sa.Null):
            column = self.process(binary.left, **kw)
            return f"CASE WHEN {column} LIKE '%' THEN 1 ELSE 0 END = {has_letters}"
        return str(self._generate_generic_binary(binary, operator, **kw))


class _Types(GenericTypeCompiler):
    def visit_double(self, type_: sa.Double[Any], **kw: Any) -> str:
        return "DOUBLE PRECISION"

    def visit_TINYINT(self, type_: Any, **kw: Any) -> str:
        return "TINYINT"

    def visit_large_binary(self, type_: sa.LargeBinary, **kw: Any) -> str:
        return f"VARBINARY({(type_.length or 0) + len(LAST_BYTE)})"


class _Names(IdentifierPreparer):
    def __init__(self, dialect: sa.Dialect) -> None:
        super().__init__(dialect, initial_quote="[", final_quote="]")


class Compiler(DefaultDialect):
    """Never connected. `sa.Boolean` is the type of conditions only."""

    name = "sybase"
    supports_statement_cache = False
    supports_native_boolean = True
    max_identifier_length = LONGEST_NAME
    statement_compiler = _Statements
    ddl_compiler = _Definitions
    type_compiler_cls = _Types
    preparer = _Names  # type: ignore[assignment]
    construct_arguments = [(sa.Index, {"where": None})]  # noqa: RUF012 (as SQLAlchemy types it)


registry.register(Compiler.name, __name__, Compiler.__name__)
