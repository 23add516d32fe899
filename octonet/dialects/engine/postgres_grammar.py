"""The SQL that PostgreSQL and those who speak like it have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeEngine

from octonet.dialects.engine import postgres_patterns
from octonet.dialects.engine.codec import as_number
from octonet.dialects.engine.grammar import Cell, Condition, Expression, Grammar, Single
from octonet.dialects.engine.inventory import Listings
from octonet.kernel.aggregate import Function
from octonet.kernel.ids import JsonValue
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


def _number(value: Expression) -> Expression:
    return cast("Expression", sa.cast(value, sa.Double()))


def _total(value: Expression) -> Expression:
    return cast("Expression", sa.func.coalesce(sa.func.sum(value), sa.literal_column("0")))


def _to_json(value: object) -> Cell:
    return msgspec.json.encode(value).decode()


def _from_json(cell: Cell) -> JsonValue:
    return cast("JsonValue", msgspec.json.decode(str(cell)))


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
    encoders={FieldType.JSON: _to_json, FieldType.ARRAY: _to_json},
    decoders={FieldType.NUMBER: as_number, FieldType.JSON: _from_json, FieldType.ARRAY: _from_json},
    pattern=postgres_patterns.pattern,
    manners={
        postgres_patterns.LIKE: lambda column, text: column.like(text),
        postgres_patterns.ILIKE: lambda column, text: column.ilike(text),
        postgres_patterns.REGEX: lambda column, text: column.bool_op("~")(text),
    },
    total=_total,
    among=_among,
    pack=_packed,
    packs_fractions=True,
    lines=_lines,
    number=_number,
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
