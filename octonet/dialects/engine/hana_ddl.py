"""HANA's SQL: a small dialect of SQLAlchemy's, for its compilers only.

HANA has no index over some of the rows, and tells little of what nulls are to a unique one. Beside such an index stands
a generated column, named like it: nothing in rows that count, and their id in all others, so that those differ whatever
nulls are. A column of another type is made anew, which its indexes would stand against: a comment behind each tells its
types, so that it is another one when they change.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql.compiler import DDLCompiler, GenericTypeCompiler, SQLCompiler

from octonet.dialects.engine.comparing import Comparing
from octonet.dialects.engine.index_terms import descends, types_of
from octonet.dialects.engine.journal_steps import BETWEEN

CREATE_TABLE: Final = "CREATE COLUMN TABLE {table} ({rest}"
INDEX_APART: Final = "ALTER TABLE {table} ADD ({index} NVARCHAR(255) GENERATED ALWAYS AS {rest}"
PARTIAL: Final = "hana_where"
LONGEST_NAME: Final = 127
LONGEST_TEXT: Final = 5000
"""16-bit units of a text that can be compared."""
LONGEST_KEY: Final = 255


def drop_index(table: str, index: str, made: str) -> str:
    """Removes an index, by quoted names, with all that came with it."""
    dropped = f"DROP INDEX {index}"
    return f"{dropped}{BETWEEN}ALTER TABLE {table} DROP ({index})" if BETWEEN in made else dropped


class _Definitions(DDLCompiler):
    def visit_create_table(self, create: CreateTable, **kw: Any) -> str:
        text = str(super().visit_create_table(create, **kw))  # type: ignore[no-untyped-call]
        return text.replace("CREATE TABLE", "CREATE COLUMN TABLE", 1)

    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        index = create.element
        assert index.table is not None
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        terms = [
            f"{self.preparer.format_column(column)}{' DESC' if descends(expression) else ''}"
            for expression, column in zip(index.expressions, index.columns, strict=True)
        ]
        types = f" /* {types_of(index, self.dialect)} */"
        counts = self._counts(index) if index.unique else []
        unique = "UNIQUE " if index.unique else ""
        if not counts:
            return f"CREATE {unique}INDEX {name} ON {table} ({', '.join(terms)}){types}"
        (key,) = (self.preparer.format_column(column) for column in index.table.primary_key)
        worked_out = f"CASE WHEN {' AND '.join(counts)} THEN '' ELSE {key} END"
        return (
            f"ALTER TABLE {table} ADD ({name} NVARCHAR({LONGEST_KEY}) GENERATED ALWAYS AS ({worked_out})){BETWEEN}"
            f"CREATE UNIQUE INDEX {name} ON {table} ({', '.join([*terms, name])}){types}"
        )

    def _counts(self, index: sa.Index) -> list[str]:
        """What must hold of a row that counts; nothing where all do."""
        counts = [f"{self.preparer.format_column(column)} IS NOT NULL" for column in index.columns if column.nullable]
        where = index.dialect_options["hana"]["where"]
        if where is not None:
            counts.append(self.sql_compiler.process(where, include_table=False, literal_binds=True))
        return counts


class _Statements(Comparing, SQLCompiler):
    """Conditions are no values: what always holds is a comparison."""

    def visit_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._matched("LIKE_REGEXPR", binary, **kw)

    def visit_not_regexp_match_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        return self._matched("NOT LIKE_REGEXPR", binary, **kw)

    def _matched(self, word: str, binary: Any, **kw: Any) -> str:
        return f"{self.process(binary.left, **kw)} {word} {self.process(binary.right, **kw)}"


class _Types(GenericTypeCompiler):
    def visit_string(self, type_: sa.String, **kw: Any) -> str:
        return f"NVARCHAR({type_.length})"

    def visit_text(self, type_: sa.Text, **kw: Any) -> str:
        return "NCLOB"

    def visit_large_binary(self, type_: sa.LargeBinary, **kw: Any) -> str:
        return f"VARBINARY({type_.length})"


class Compiler(DefaultDialect):
    """Never connected. `sa.Boolean` is the type of conditions only."""

    name = "hana"
    supports_statement_cache = False
    supports_native_boolean = True
    max_identifier_length = LONGEST_NAME
    statement_compiler = _Statements
    ddl_compiler = _Definitions
    type_compiler_cls = _Types
    construct_arguments = [(sa.Index, {"where": None})]  # noqa: RUF012 (as SQLAlchemy types it)


registry.register(Compiler.name, __name__, Compiler.__name__)
