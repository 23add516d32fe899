"""MongoDB: documents for rows, transactions where the server has them, commits that are noted first where it has none.

Evidence: *stand-in*. The tests run the driver over TCP against `nx-27017`, a server that speaks MongoDB's protocol over
SQLite, and tells of no transactions; MongoDB's own server has never been run against.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from octonet.dialects.engine import mongodb_migration
from octonet.dialects.engine.local_copy import place
from octonet.dialects.engine.mongodb_layout import Layout, lay_out
from octonet.dialects.engine.mongodb_ledger import Ledger, State, Write
from octonet.dialects.engine.mongodb_migration import Migration
from octonet.dialects.engine.mongodb_reads import MongodbSource
from octonet.dialects.engine.mongodb_sampling import reflected
from octonet.dialects.engine.mongodb_server import Server
from octonet.dialects.engine.mongodb_snapshot import Copying
from octonet.dialects.engine.mongodb_transaction import MongodbTransaction
from octonet.kernel.errors import Internal, StorageUnavailable
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import (
    Checkpoint,
    Contents,
    Database,
    DatabaseOptions,
    Dialect,
    Followed,
    Snapshot,
    Strategy,
    Transaction,
)


class MongodbDatabase(MongodbSource):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, layout: Layout, options: DatabaseOptions) -> None:
        super().__init__(server, Ledger(server), layout)
        self._options = options
        self._busy = False
        """Whether a write transaction, or a migration, is open."""
        self._drops_at_close = False
        self._ours: bool | None = None
        """Whether the collections are looked after here: not known until a strategy tells."""
        self._closed = False

    async def begin(self) -> Transaction:
        """Open the write transaction."""
        self._take()
        try:
            state = await self._ledger.settled(self._layout)
            if state is None:
                raise self._not_made()
        except BaseException:
            self._release()
            raise
        layout = self._layout

        async def commit(before: State, to: Checkpoint, writes: Sequence[Write]) -> None:
            await self._ledger.commit(layout, before, to, writes)

        return MongodbTransaction(self._server, layout, state, commit, self._release)

    async def migrate(
        self, schemas: Schemas, strategy: Strategy, *, drop: bool = False, mark: Checkpoint | None = None
    ) -> None:
        """See the port. `create-drop` also removes the collections when the database is closed."""
        layout = lay_out(schemas, self._options.table_prefix)
        self._take()
        try:
            await Migration(self._server, self._ledger, layout).run(schemas, strategy, drop=drop, mark=mark)
        finally:
            self._release()
        self._layout = layout
        if strategy in (Strategy.CREATE, Strategy.CREATE_DROP):
            self._drops_at_close = strategy is Strategy.CREATE_DROP
        self._ours = self._ours or strategy not in (Strategy.NONE, Strategy.VALIDATE)

    async def follows(self) -> Followed | None:
        """See the port."""
        if self._ours is False:
            return None
        found = await mongodb_migration.noted(self._server, self._layout)
        return None if found is None else mongodb_migration.followed(found, self._layout)

    async def identity(self) -> str:
        """See the port."""
        return f"mongodb/{(await self._server.abilities()).identity}/{self._server.name}"

    async def contents(self) -> Contents:
        """See the port."""
        listed = await self._server.written("list the collections", self._server.database.list_collection_names())
        found = await mongodb_migration.noted(self._server, self._layout)
        state = await self._ledger.state(self._layout)
        stands = () if found is None else found.standing.tables
        return Contents(tuple(sorted({*listed, *stands})), None if state is None else state.checkpoint)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """See the port."""
        with place() as copy:
            yield await Copying(self._server, self._ledger, self._layout).into(copy)

    async def opened(self) -> MongodbDatabase:
        """The same, once the server has answered. Raises `StorageUnavailable`; then nothing is left open."""
        try:
            await self._server.abilities()
        except BaseException:
            await self._server.close()
            raise
        return self

    async def close(self, *, kept: bool = False) -> None:
        """Release every connection; an open transaction is forgotten."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._drops_at_close and not kept:
                await Migration(self._server, self._ledger, self._layout).remove()
        finally:
            await self._server.close()

    def _take(self) -> None:
        if self._closed:
            raise StorageUnavailable(f"the database {self._server.address} is closed")
        if self._busy:
            raise Internal(f"a write transaction on {self._server.address} is open already")
        self._busy = True

    def _release(self) -> None:
        self._busy = False


class MongodbDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "mongodb"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the database at ``mongodb://user:password@host:port/database``, or ``mongodb+srv://…``; the driver's own
        parameters may follow (``?replicaSet=…&authSource=admin&tls=true&tlsCAFile=…``)."""
        layout = lay_out(schemas, options.table_prefix)
        server = Server(uri, options.pool_size, options.query_timeout, show_sql=options.show_sql, synced=options.synced)
        return await MongodbDatabase(server, layout, options).opened()

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`, by some documents of each collection."""
        options = DatabaseOptions()
        server = Server(uri, options.pool_size, options.query_timeout, show_sql=False, synced=False)
        try:
            return await reflected(server)
        finally:
            await server.close()


DIALECT: Final[Dialect] = MongodbDialect()
