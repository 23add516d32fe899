"""Spanner's SQL, in the dialect that Google calls GoogleSQL: a small dialect of SQLAlchemy's, for its compilers only.

Parameters have names there: they are called ``@p1`` and so on, in the order of their arguments. Two nulls are
duplicates to a unique index, unless it leaves out rows with a null. Where it counts only rows that are not deleted, a
generated column beside the others, named like the index, is null for those that do not count.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.compiler import DDLCompiler, GenericTypeCompiler, IdentifierPreparer, SQLCompiler

from octonet.dialects.engine.index_terms import descends
from octonet.dialects.engine.journal_steps import BETWEEN
from octonet.dialects.engine.spanner_lines import apart, deleted, lines_of, updated
from octonet.dialects.engine.spanner_names import kept

INDEX_APART: Final = "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {index} BOOL AS {rest}"
PARTIAL: Final = "spanner_where"
LONGEST_NAME: Final = 110
"""Spanner's own limit is 128: there is room for signs that stand as numbers."""


def _in_small_letters(term: str) -> str:
    column, _, direction = term.rpartition(" ")
    return f"{column} {direction.lower()}"


def drop_index(table: str, index: str, made: str) -> str:
    """Removes an index, by quoted names, with all that came with it."""
    column = f"{BETWEEN}ALTER TABLE {table} DROP COLUMN {index}" if BETWEEN in made else ""
    return f"DROP INDEX IF EXISTS {index}{column}"


class _Definitions(DDLCompiler):
    def create_table_constraints(self, table: sa.Table, _include_foreign_key_constraints: Any = None, **kw: Any) -> str:
        """The key stands behind the columns, and nothing else is declared."""
        return ""

    def post_create_table(self, table: sa.Table) -> str:
        keys = ", ".join(self.preparer.format_column(column) for column in table.primary_key)
        return f" PRIMARY KEY ({keys})"

    def get_column_specification(self, column: sa.Column[Any], **kw: Any) -> str:
        text = f"{self.preparer.format_column(column)} {self.dialect.type_compiler_instance.process(column.type)}"
        if not column.nullable:
            text += " NOT NULL"
        default = self.get_column_default_string(column)
        return text if default is None else f"{text} DEFAULT ({default})"

    def visit_create_index(
        self, create: CreateIndex, include_schema: bool = False, include_table_schema: bool = True, **kw: Any
    ) -> str:
        index = create.element
        assert index.table is not None
        name, table = self.preparer.quote(index.name or ""), self.preparer.format_table(index.table)
        condition = index.dialect_options["spanner"]["where"]
        terms = [
            f"{self.preparer.format_column(column)} {'DESC' if descends(expression) else 'ASC'}"
            for expression, column in zip(index.expressions, index.columns, strict=True)
        ]
        if not index.unique:
            # It stands against another rule for nulls in its columns: in small letters it is another one then.
            several = zip(terms, index.columns, strict=True)
            terms = [term if column.nullable else _in_small_letters(term) for term, column in several]
            return f"CREATE INDEX {name} ON {table} ({', '.join(terms)})"
        made = f"CREATE UNIQUE NULL_FILTERED INDEX {name} ON {table} "
        if condition is None:
            return f"{made}({', '.join(terms)})"
        where = self.sql_compiler.process(condition, include_table=False, literal_binds=True)
        return (
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} BOOL AS (IF({where}, TRUE, NULL)) STORED{BETWEEN}"
            f"{made}({', '.join([*terms, name])})"
        )


class _Statements(SQLCompiler):
    def _process_numeric(self) -> None:
        self._numeric_binds_identifier_char = "@p"
        super()._process_numeric()  # type: ignore[no-untyped-call]

    def visit_typeclause(self, typeclause: Any, **kw: Any) -> str:
        """Within an expression a type has no length."""
        return self.dialect.type_compiler_instance.process(typeclause.type, bare=True)

    def visit_getitem_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """An element of an array, by its offset."""
        return f"{self.process(binary.left, **kw)}[OFFSET({self.process(binary.right, **kw)})]"

    def order_by_clause(self, select: Any, **kw: Any) -> str:
        """What is selected is looked for first, and may be called like the table: it is not named here."""
        return str(super().order_by_clause(select, **{**kw, "include_table": False}))  # type: ignore[no-untyped-call]

    def visit_update(self, update_stmt: sa.Update, visiting_cte: Any = None, **kw: Any) -> str:
        """There is no UPDATE … FROM, and none without a WHERE."""
        if (lines := lines_of(update_stmt)) is not None:
            return self.process(updated(apart(update_stmt), lines), **kw)
        text: str = super().visit_update(_bounded(apart(update_stmt)), visiting_cte, **kw)
        return text

    def visit_delete(self, delete_stmt: sa.Delete, visiting_cte: Any = None, **kw: Any) -> str:
        """The same of DELETE."""
        if (lines := lines_of(delete_stmt)) is not None:
            return self.process(deleted(delete_stmt, lines), **kw)
        text: str = super().visit_delete(_bounded(delete_stmt), visiting_cte, **kw)  # type: ignore[no-untyped-call]
        return text


def _bounded(statement: Any) -> Any:
    return statement.where(sa.true()) if statement.whereclause is None else statement


class _Types(GenericTypeCompiler):
    def visit_string(self, type_: sa.String, *, bare: bool = False, **kw: Any) -> str:
        return "STRING" if bare else f"STRING({type_.length or 'MAX'})"

    def visit_text(self, type_: sa.Text, **kw: Any) -> str:
        return self.visit_string(type_, **kw)

    def visit_large_binary(self, type_: sa.LargeBinary, *, bare: bool = False, **kw: Any) -> str:
        return "BYTES" if bare else f"BYTES({type_.length or 'MAX'})"

    def visit_integer(self, type_: sa.Integer, **kw: Any) -> str:
        return "INT64"

    def visit_big_integer(self, type_: sa.BigInteger, **kw: Any) -> str:
        return "INT64"

    def visit_double(self, type_: sa.Double[Any], **kw: Any) -> str:
        return "FLOAT64"

    def visit_boolean(self, type_: sa.Boolean, **kw: Any) -> str:
        return "BOOL"

    def visit_ARRAY(self, type_: sa.ARRAY[Any], **kw: Any) -> str:
        return f"ARRAY<{self.process(type_.item_type, bare=True)}>"


class _Names(IdentifierPreparer):
    def __init__(self, dialect: DefaultDialect) -> None:
        super().__init__(dialect, initial_quote="`")

    def quote_identifier(self, value: str) -> str:
        return super().quote_identifier(kept(value))


class Compiler(DefaultDialect):
    """Never connected."""

    name = "spanner"
    supports_statement_cache = False
    supports_native_boolean = True
    max_identifier_length = 128
    statement_compiler = _Statements
    ddl_compiler = _Definitions
    type_compiler_cls = _Types
    preparer: type[IdentifierPreparer] = _Names
    construct_arguments = [(sa.Index, {"where": None})]  # noqa: RUF012 (as SQLAlchemy types it)


registry.register(Compiler.name, __name__, Compiler.__name__)
