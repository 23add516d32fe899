"""HSQLDB: its driver is Java's, and every connection has a thread of its own; one writes, a few read."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from octonet.dialects.engine import hsqldb_ddl, hsqldb_patterns
from octonet.dialects.engine.catalog_reflection import reflected
from octonet.dialects.engine.codec import JSON_AS_TEXT, JSON_FROM_TEXT, as_number
from octonet.dialects.engine.grammar import Grammar, as_double, sum_or_zero
from octonet.dialects.engine.hsqldb_catalog import CATALOG
from octonet.dialects.engine.hsqldb_errors import JavaFailure, is_done_before
from octonet.dialects.engine.hsqldb_held import Held, open_snapshot
from octonet.dialects.engine.hsqldb_server import Server
from octonet.dialects.engine.hsqldb_writer import HsqldbWriter, WritingConnection
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_database import JournalledDatabase
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.model import build
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_TEXT: Final = sa.String(hsqldb_ddl.LONGEST_TEXT, collation=hsqldb_ddl.COLLATION)


GRAMMAR: Final = Grammar(
    name="hsqldb",
    compiler=hsqldb_ddl.Compiler(paramstyle="qmark"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: sa.Boolean(),
        FieldType.DATE: _TEXT,
        FieldType.JSON: _TEXT,
        FieldType.ARRAY: _TEXT,
    },
    key=sa.String(255, collation=hsqldb_ddl.COLLATION),
    encoders=JSON_AS_TEXT,
    decoders={FieldType.NUMBER: as_number, **JSON_FROM_TEXT},
    pattern=hsqldb_patterns.pattern,
    manners={
        hsqldb_patterns.LIKE: lambda column, text: column.like(text, escape=hsqldb_patterns.ESCAPE),
        hsqldb_patterns.REGEX: lambda column, text: sa.func.regexp_matches(column, text, type_=sa.Boolean()),
    },
    total=sum_or_zero,
    number=as_double,
    declares_references=False,
    takes_rows_out=True,
    most_ids=1000,
    partial_index_option=hsqldb_ddl.PARTIAL,
    allow_null="ALTER TABLE {table} ALTER COLUMN {column} SET NULL",
    refuse_null="ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",
    rename_column="ALTER TABLE {table} ALTER COLUMN {column} RENAME TO {to}",
    # What comes with an index is seen to where it is run.
    drop_index="ALTER TABLE {table} DROP INDEX {index}",
    nulls_first=False,
    longest_name=hsqldb_ddl.LONGEST_NAME,
)


_LISTINGS: Final = Listings(
    # A generated column belongs to its index.
    "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DTD_IDENTIFIER, c.IS_NULLABLE = 'NO' FROM INFORMATION_SCHEMA.COLUMNS AS c"
    " JOIN INFORMATION_SCHEMA.TABLES AS t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME"
    " WHERE c.TABLE_SCHEMA = CURRENT_SCHEMA AND t.TABLE_TYPE = 'BASE TABLE' AND c.IS_GENERATED <> 'ALWAYS'",
    "SELECT DISTINCT INDEX_NAME FROM INFORMATION_SCHEMA.SYSTEM_INDEXINFO WHERE TABLE_SCHEM = CURRENT_SCHEMA",
)


# A database is given a name when it is made, by the time.
_IDENTITY: Final = "SELECT 'hsqldb/' || DATABASE_NAME() || '/' || CURRENT_SCHEMA FROM (VALUES(0))"


_JOURNALLING: Final = Journalling(
    GRAMMAR,
    _LISTINGS,
    Spelling(
        hsqldb_ddl.drop_index,
        hsqldb_ddl.INDEX_APART,
        rename_index="ALTER INDEX {index} RENAME TO {to}",
        drop_column="ALTER TABLE {table} DROP COLUMN {column}",
        drop_table="DROP TABLE {table} IF EXISTS",
    ),
    failures=(JavaFailure,),
    doubtful=is_done_before,
)


class HsqldbDatabase(JournalledDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = WritingConnection(server)
        super().__init__(
            _JOURNALLING, _IDENTITY, model, lambda: Held(server, options.query_timeout), self._writing, options
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _begun(self, model: Model, *, migrating: bool) -> HsqldbWriter:
        writer = HsqldbWriter(self._server, model, self._options.table_prefix, migrating=migrating)
        await self._writing.begin(writer)
        return writer


class HsqldbDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "hsqldb"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``hsqldb://user:password@host:port/database``, by the name that its server gives it. The
        driver is found in CLASSPATH, or where Debian puts it."""
        server = Server(uri, options.show_sql)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await HsqldbDatabase(server, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        server = Server(uri, show_sql=False)
        return await reflected(server, lambda: server.connect(()), CATALOG)


DIALECT: Final[Dialect] = HsqldbDialect()
