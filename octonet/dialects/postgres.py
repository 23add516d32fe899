"""PostgreSQL: one connection that writes, a few that read, statements prepared once on each of them."""

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
from octonet.dialects.engine.held_database import HeldDatabase
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.model import build
from octonet.dialects.engine.postgres_held import Held
from octonet.dialects.engine.postgres_server import Server
from octonet.dialects.engine.postgres_snapshot import open_snapshot
from octonet.dialects.engine.postgres_writer import PostgresWriter, WritingConnection
from octonet.dialects.engine.reflection import reflected
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.aggregate import Function
from octonet.kernel.ids import JsonValue
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

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
_LISTINGS: Final = Listings(
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull"
    " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
    f" WHERE c.{_OURS} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped",
    f"SELECT relname FROM pg_class WHERE {_OURS} AND relkind IN ('i', 'I')",
)


# Servers that started at the same microsecond are the same.
_IDENTITY: Final = (
    "SELECT 'postgres/' || pg_postmaster_start_time()::text || '/' || oid::text || '/' || current_schema()"
    " FROM pg_database WHERE datname = current_database()"
)


class PostgresDatabase(HeldDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = WritingConnection(server, options.table_prefix, options.synced)
        super().__init__(
            GRAMMAR, _LISTINGS, _IDENTITY, model, lambda: Held(server, options.query_timeout), self._writing, options
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _open_writer(self, model: Model, *, migrating: bool) -> PostgresWriter:
        return await self._writing.begin(model, migrating=migrating)


class PostgresDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "postgres"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``postgresql://user:password@host:port/database``; the driver's own parameters may
        follow (``?sslmode=require``)."""
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await PostgresDatabase(Server(uri, options.show_sql), model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False)
        return await reflected("postgresql+asyncpg", lambda: server.connect({}))


DIALECT: Final[Dialect] = PostgresDialect()
