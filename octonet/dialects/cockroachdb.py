"""CockroachDB, 23.2 or later: PostgreSQL's protocol and driver, serializable transactions that are tried anew, writers
that take turns by a row, and migrations whose definitions are noted before they are made."""

from __future__ import annotations

from typing import Final

import asyncpg
import msgspec
import sqlalchemy as sa

from octonet.dialects.engine import cockroachdb_patterns
from octonet.dialects.engine.cockroachdb_errors import already_so
from octonet.dialects.engine.cockroachdb_writer import TURNS, CockroachWriter, CockroachWriting
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_database import JournalledDatabase
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.journal_steps import Spelling
from octonet.dialects.engine.model import build
from octonet.dialects.engine.postgres_grammar import GRAMMAR as POSTGRES
from octonet.dialects.engine.postgres_grammar import LISTINGS
from octonet.dialects.engine.postgres_held import Held
from octonet.dialects.engine.postgres_server import Product, Server
from octonet.dialects.engine.postgres_snapshot import open_snapshot
from octonet.dialects.engine.reflection import reflected
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_PRODUCT: Final = Product(
    "CockroachDB",
    ("cockroachdb", "cockroachdb+asyncpg"),
    26257,
    # Nothing that only PostgreSQL knows.
    {"application_name": "octonet"},
    "the cluster's users and their certificates",
)

# Texts are ordered by code point unasked; what is called JSON sorts members, and would not keep values as they are.
_TEXT: Final = sa.Text()
GRAMMAR: Final = msgspec.structs.replace(
    POSTGRES,
    name="cockroachdb",
    types={
        **POSTGRES.types,
        **dict.fromkeys(
            (FieldType.STRING, FieldType.TEXT, FieldType.DATE, FieldType.JSON, FieldType.ARRAY),
            _TEXT,
        ),
    },
    pattern=cockroachdb_patterns.pattern,
    manners={name: POSTGRES.manners[name] for name in (cockroachdb_patterns.LIKE, cockroachdb_patterns.REGEX)},
    most_ids=1000,
)

_JOURNALLING: Final = Journalling(
    GRAMMAR,
    Listings(f"{LISTINGS.columns} AND c.relname <> '{TURNS}'", LISTINGS.indexes),
    Spelling(
        lambda table, index, made: f"DROP INDEX IF EXISTS {index}",
        rename_index="ALTER INDEX IF EXISTS {index} RENAME TO {to}",
    ),
    failures=(asyncpg.PostgresError,),
    doubtful=already_so,
)

_IDENTITY: Final = (
    "SELECT 'cockroachdb/' || crdb_internal.cluster_id()::text || '/' || current_database() || '/' || current_schema()"
)


class CockroachDatabase(JournalledDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = CockroachWriting(server, options.table_prefix)
        super().__init__(
            _JOURNALLING, _IDENTITY, model, lambda: Held(server, options.query_timeout), self._writing, options
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _begun(self, model: Model, *, migrating: bool) -> CockroachWriter:
        return await self._writing.begin(model, migrating=migrating)


class CockroachDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "cockroachdb"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``cockroachdb://user:password@host:26257/database``; the driver's own parameters may
        follow (``?sslmode=verify-full&sslrootcert=…``)."""
        model = build(schemas, GRAMMAR, options.table_prefix)
        return await CockroachDatabase(Server(uri, options.show_sql, _PRODUCT), model, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`: CockroachDB has PostgreSQL's catalog, too."""
        server = Server(uri, show_sql=False, product=_PRODUCT)
        return await reflected("postgresql+asyncpg", lambda: server.connect({}))


DIALECT: Final[Dialect] = CockroachDialect()
