"""PostgreSQL: one connection that writes, a few that read, statements prepared once on each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeEngine

from octonet.dialects.engine import postgres_patterns
from octonet.dialects.engine.codec import as_number
from octonet.dialects.engine.database import SqlDatabase
from octonet.dialects.engine.grammar import Cell, Condition, Expression, Grammar, Single
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.links import Reader, stored
from octonet.dialects.engine.model import build
from octonet.dialects.engine.postgres_reads import Gathered, PostgresReads
from octonet.dialects.engine.postgres_server import Server
from octonet.dialects.engine.postgres_writer import PostgresWriter, WritingConnection
from octonet.dialects.engine.tables import Model
from octonet.kernel.aggregate import Function
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.filter import Options
from octonet.kernel.ids import EntityId, JsonValue
from octonet.kernel.schema import EntitySchema, FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect, Stored

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


class PostgresDatabase(SqlDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, model: Model, options: DatabaseOptions) -> None:
        self._connections = PostgresReads(server, options.pool_size, options.query_timeout)
        super().__init__(GRAMMAR, _LISTINGS, model, self._connections, options)
        self._gathered = Gathered(self._connections)
        self._writing = WritingConnection(server, options.table_prefix)

    async def connect(self) -> None:
        """Raises `StorageUnavailable` with a sentence that says what to do when the server cannot be used."""
        await self._writing.connect()

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        """One live row by id, with its links and its version; gets of the same moment travel together."""
        shape = (schema.name, options.select, options.exclude, options.include_deleted)

        async def several(reader: Reader, ids: Sequence[EntityId]) -> Mapping[EntityId, Stored]:
            rows = await stored(reader, self._queries, self._queries.several(schema, options, ids))
            return {row.id: row for row in rows}

        linked = bool(self._queries.get(schema, options).junctions)
        return await self._gathered.get(shape, id, several, snapshot=linked)

    async def close(self, *, kept: bool = False) -> None:
        """Release every connection; an open transaction is rolled back."""
        if self._closed:
            return
        self._closed = True
        await self._connections.close()
        try:
            if self._drops_at_close and not kept:
                await self._writing.abandon()
                await self._remove()
        finally:
            await self._writing.close()

    async def _open_writer(self, model: Model, *, migrating: bool) -> PostgresWriter:
        return await self._writing.begin(model, migrating=migrating)


class PostgresDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "postgres"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``postgresql://user:password@host:port/database``; the driver's own parameters may
        follow (``?sslmode=require``)."""
        model = build(schemas, GRAMMAR, options.table_prefix)
        database = PostgresDatabase(Server(uri, options.show_sql), model, options)
        try:
            await database.connect()
        except StorageUnavailable:
            await database.close()
            raise
        return database


DIALECT: Final[Dialect] = PostgresDialect()
