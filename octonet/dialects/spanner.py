"""Google Cloud Spanner, in its dialect GoogleSQL: serializable transactions that are tried anew, writers that take
turns by a row, and migrations whose definitions are noted before they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import sqlalchemy as sa

from octonet.dialects.engine import spanner_ddl, spanner_lines, spanner_patterns
from octonet.dialects.engine.catalog_reflection import reflected
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.dbapi_driver import FAILURES
from octonet.dialects.engine.grammar import Cell, Grammar, Single, as_double, sum_or_zero
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_database import JournalledDatabase
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.model import build
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.spanner_catalog import CATALOG
from octonet.dialects.engine.spanner_errors import is_done_before, is_not_made
from octonet.dialects.engine.spanner_held import Held, open_snapshot
from octonet.dialects.engine.spanner_server import Server
from octonet.dialects.engine.spanner_turns import TURNS
from octonet.dialects.engine.spanner_writer import SpannerWriter, SpannerWriting
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.ids import JsonValue
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions, Dialect

_TEXT: Final = sa.String()


def _packed(values: Sequence[Cell]) -> Cell:
    return cast("list[Single]", list(values))


def _as_fraction(value: JsonValue) -> Cell:
    """Parameters are of one type or another: what is compared with numbers is one."""
    assert isinstance(value, int | float)
    return float(value)


GRAMMAR: Final = Grammar(
    name="spanner",
    compiler=spanner_ddl.Compiler(paramstyle="numeric"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: sa.Boolean(),
        FieldType.DATE: _TEXT,
        FieldType.JSON: _TEXT,
        FieldType.ARRAY: _TEXT,
    },
    key=sa.String(255),
    encoders={FieldType.NUMBER: _as_fraction, **JSON_AS_TEXT},
    decoders={FieldType.NUMBER: as_number, **JSON_FROM_TEXT},
    pattern=spanner_patterns.pattern,
    manners={
        spanner_patterns.LIKE: lambda column, text: column.like(text),
        spanner_patterns.REGEX: lambda column, text: sa.func.regexp_contains(column, text, type_=sa.Boolean()),
    },
    total=sum_or_zero,
    among=spanner_lines.listed,
    pack=_packed,
    packs_fractions=True,
    lines=spanner_lines.lines,
    number=as_double,
    declares_references=False,
    takes_rows_out=True,
    most_ids=5000,
    partial_index_option=spanner_ddl.PARTIAL,
    allow_null="ALTER TABLE {table} ALTER COLUMN {column} {type}",
    refuse_null="ALTER TABLE {table} ALTER COLUMN {column} {type} NOT NULL",
    # Columns have one name for ever; what comes with an index is seen to where it is run.
    rename_column="",
    drop_index="DROP INDEX {index} ON {table}",
    longest_name=spanner_ddl.LONGEST_NAME,
)

_LISTINGS: Final = Listings(
    # A generated column belongs to its index.
    "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.SPANNER_TYPE, c.IS_NULLABLE = 'NO' FROM INFORMATION_SCHEMA.COLUMNS AS c"
    " JOIN INFORMATION_SCHEMA.TABLES AS t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME"
    " WHERE c.TABLE_SCHEMA = '' AND t.TABLE_TYPE = 'BASE TABLE' AND c.IS_GENERATED = 'NEVER'"
    f" AND c.TABLE_NAME <> '{TURNS}'",
    "SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = '' AND INDEX_TYPE = 'INDEX'",
)

_JOURNALLING: Final = Journalling(
    GRAMMAR,
    _LISTINGS,
    Spelling(
        spanner_ddl.drop_index,
        spanner_ddl.INDEX_APART,
        index_kinds=("INDEX", "UNIQUE NULL_FILTERED INDEX"),
        index_goes_first=True,
        drop_column="ALTER TABLE {table} DROP COLUMN {column}",
    ),
    failures=FAILURES,
    doubtful=is_done_before,
)


class SpannerDatabase(JournalledDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = SpannerWriting(server, options.table_prefix)
        identity = f"SELECT 'spanner/{server.at.path}'"
        super().__init__(
            _JOURNALLING, identity, model, lambda: Held(server, options.query_timeout), self._writing, options
        )

    async def close(self, *, kept: bool = False) -> None:
        """Release every session; an open transaction is rolled back."""
        try:
            await super().close(kept=kept)
        finally:
            await self._server.close()

    async def checkpoint(self) -> Checkpoint:
        """See the port. An emulator that was started anew has no tables: it stands at the beginning."""
        try:
            return await super().checkpoint()
        except StorageUnavailable as problem:
            if not is_not_made(problem.__cause__):
                raise
            return Checkpoint()

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _begun(self, model: Model, *, migrating: bool) -> SpannerWriter:
        writer = SpannerWriter(self._server, model, migrating=migrating)
        await self._writing.begin(writer)
        return writer


class SpannerDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "spanner"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``spanner://project/instance/database``; ``?credentials=FILE`` may follow, where
        Google's library does not find any."""
        server = Server(uri, options.show_sql)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await SpannerDatabase(server, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False)
        try:
            return await reflected(server, server.connect, CATALOG)
        finally:
            await server.close()


DIALECT: Final[Dialect] = SpannerDialect()
