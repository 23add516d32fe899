"""The SQL that PostgreSQL and those who speak like it have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeEngine

from octonet.dialects.engine import postgres_patterns
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.grammar import Cell, Condition, Expression, Grammar, Single, as_double, sum_or_zero
from octonet.dialects.engine.inventory import Listings
from octonet.kernel.aggregate import Function
from octonet.kernel.schema import FieldType

_TEXT: Final = sa.Text(collation="C")
"""Compared and ordered by code point, whatever the database's own language."""


def _lines(columns: Sequence[tuple[Expression, TypeEngine[Any]]]) -> sa.FromClause:
    lists = [sa.cast(values, sa.ARRAY(_bare(kind))) for values, kind in columns]
    names = [f"c{number}" for number in range(len(columns))]
    return sa.func.unnest(*lists).table_valued(*names).render_derived()


def _bare(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return sa.Text() if isinstance(kind, sa.Text) else kind


def _among(column: Expression, values: Expression, negated: bool) -> Condition:
    return column != sa.func.all(values) if negated else column == sa.func.any(values)


def _packed(values: Sequence[Cell]) -> Cell:
    return cast("list[Single]", list(values))


GRAMMAR: Final = Grammar(
    name="postgres",
    compiler=PGDialect(paramstyle="numeric_dollar"),  # type: ignore[no-untyped-call]
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: sa.Boolean(),
        FieldType.DATE: _TEXT,
        # Kept as it was written, the order of members included; `jsonb` would sort them.
        FieldType.JSON: sa.JSON(),
        FieldType.ARRAY: sa.JSON(),
    },
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, **JSON_FROM_TEXT},
    pattern=postgres_patterns.pattern,
    manners={
        postgres_patterns.LIKE: lambda column, text: column.like(text),
        postgres_patterns.ILIKE: lambda column, text: column.ilike(text),
        postgres_patterns.REGEX: lambda column, text: column.bool_op("~")(text),
    },
    total=sum_or_zero,
    among=_among,
    pack=_packed,
    packs_fractions=True,
    lines=_lines,
    number=as_double,
    extremes={
        (Function.MIN, FieldType.BOOLEAN): sa.func.bool_and,
        (Function.MAX, FieldType.BOOLEAN): sa.func.bool_or,
    },
    declares_references=False,
    takes_rows_out=True,
    most_ids=10_000,
    partial_index_option="postgresql_where",
    nulls_first=False,
)

_OURS: Final = "relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
LISTINGS: Final = Listings(
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull"
    " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
    f" WHERE c.{_OURS} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped",
    f"SELECT relname FROM pg_class WHERE {_OURS} AND relkind IN ('i', 'I')",
)
