"""PostgreSQL: one connection that writes, a few that read, statements prepared once on each of them."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.held_database import HeldDatabase
from octonet.dialects.engine.model import build
from octonet.dialects.engine.postgres_grammar import GRAMMAR, LISTINGS
from octonet.dialects.engine.postgres_held import Held
from octonet.dialects.engine.postgres_server import Server
from octonet.dialects.engine.postgres_snapshot import open_snapshot
from octonet.dialects.engine.postgres_writer import PostgresWriter, PostgresWriting, settings
from octonet.dialects.engine.reflection import reflected
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

# Servers that started at the same microsecond are the same.
_IDENTITY: Final = (
    "SELECT 'postgres/' || pg_postmaster_start_time()::text || '/' || oid::text || '/' || current_schema()"
    " FROM pg_database WHERE datname = current_database()"
)


class PostgresDatabase(HeldDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = PostgresWriting(server, options.table_prefix, settings(options.synced))
        super().__init__(
            GRAMMAR, LISTINGS, _IDENTITY, model, lambda: Held(server, options.query_timeout), self._writing, options
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
