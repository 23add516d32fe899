"""MariaDB: one connection that writes, a few that read, statements prepared once on each of them."""

from __future__ import annotations

from typing import Final, cast

import msgspec
import sqlalchemy as sa
from asyncmy.errors import MySQLError
from sqlalchemy.dialects import mysql

from octonet.dialects.engine import mariadb_ddl, mariadb_patterns
from octonet.dialects.engine.codec import as_number
from octonet.dialects.engine.grammar import Cell, Expression, Grammar
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_database import JournalledDatabase
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.mariadb_errors import already_so
from octonet.dialects.engine.mariadb_held import Held, open_snapshot
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.mariadb_writer import MariadbWriter, WritingConnection
from octonet.dialects.engine.model import build
from octonet.dialects.engine.reflection import reflected
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.ids import JsonValue
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_TEXT: Final = mysql.LONGTEXT()


def _number(value: Expression) -> Expression:
    # A cast that SQLAlchemy leaves out where it does not know the server.
    return cast("Expression", sa.type_coerce(value, sa.Double()) + sa.literal_column("0e0"))


def _total(value: Expression) -> Expression:
    return cast("Expression", sa.func.coalesce(sa.func.sum(value), sa.literal_column("0e0")))


def _to_json(value: object) -> Cell:
    return msgspec.json.encode(value).decode()


def _from_json(cell: Cell) -> JsonValue:
    return cast("JsonValue", msgspec.json.decode(str(cell)))


GRAMMAR: Final = Grammar(
    name="mariadb",
    compiler=mariadb_ddl.Compiler(paramstyle="qmark"),
    types={
        FieldType.STRING: _TEXT,
        FieldType.TEXT: _TEXT,
        FieldType.NUMBER: sa.Double(),
        FieldType.BOOLEAN: mysql.TINYINT(1),
        FieldType.DATE: _TEXT,
        FieldType.JSON: _TEXT,
        FieldType.ARRAY: _TEXT,
    },
    key=sa.String(255),
    encoders={FieldType.JSON: _to_json, FieldType.ARRAY: _to_json},
    decoders={
        FieldType.NUMBER: as_number,
        FieldType.BOOLEAN: bool,
        FieldType.JSON: _from_json,
        FieldType.ARRAY: _from_json,
    },
    pattern=mariadb_patterns.pattern,
    manners={
        mariadb_patterns.LIKE: lambda column, text: column.like(text, escape=mariadb_patterns.ESCAPE),
        mariadb_patterns.REGEX: lambda column, text: column.bool_op("REGEXP")(text),
    },
    total=_total,
    number=_number,
    declares_references=False,
    takes_rows_out=True,
    most_ids=1000,
    partial_index_option=mariadb_ddl.PARTIAL,
    allow_null="ALTER TABLE {table} MODIFY COLUMN {column} {type} NULL",
    refuse_null="ALTER TABLE {table} MODIFY COLUMN {column} {type} NOT NULL",
    # What comes with an index is seen to where it is run.
    drop_index="ALTER TABLE {table} DROP INDEX {index}",
    longest_name=mariadb_ddl.LONGEST_NAME,
)


_OURS: Final = "table_schema = DATABASE()"
_LISTINGS: Final = Listings(
    # A computed column belongs to its index.
    "SELECT c.table_name, c.column_name, c.column_type, c.is_nullable = 'NO' FROM information_schema.columns AS c"
    f" WHERE c.{_OURS} AND c.generation_expression IS NULL AND c.table_name IN"
    f" (SELECT t.table_name FROM information_schema.tables AS t WHERE t.{_OURS} AND t.table_type = 'BASE TABLE')",
    f"SELECT DISTINCT index_name FROM information_schema.statistics WHERE {_OURS}",
)

_JOURNALLING: Final = Journalling(
    GRAMMAR,
    _LISTINGS,
    Spelling(mariadb_ddl.drop_index, mariadb_ddl.INDEX_APART),
    failures=(MySQLError,),
    doubtful=already_so,
)


# Servers of one host that share port and directory are the same.
_IDENTITY: Final = "SELECT CONCAT_WS('/', 'mariadb', @@hostname, @@port, @@datadir, @@server_id, DATABASE())"


class MariadbDatabase(JournalledDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = WritingConnection(server, options.table_prefix)
        super().__init__(
            _JOURNALLING, _IDENTITY, model, lambda: Held(server, options.query_timeout), self._writing, options
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _begun(self, model: Model, *, migrating: bool) -> MariadbWriter:
        writer = MariadbWriter(self._server, model, migrating=migrating)
        await self._writing.begin(writer)
        return writer


class MariadbDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "mariadb"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``mariadb://user:password@host:port/database``; ``?ssl=true`` may follow, or where the
        certificates are (``?ssl_ca=…&ssl_cert=…&ssl_key=…``)."""
        server = Server(uri, options.show_sql)
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await MariadbDatabase(server, model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        return await reflected("mariadb+asyncmy", Server(uri, show_sql=False).driver)


DIALECT: Final[Dialect] = MariadbDialect()
