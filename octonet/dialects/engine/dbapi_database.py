"""Databases that are reached through a DB-API driver: one session writes, a few read."""

from __future__ import annotations

from octonet.dialects.engine.dbapi_server import Held, Server, open_snapshot
from octonet.dialects.engine.dbapi_writer import DbapiWriter, DbapiWriting
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.held_database import HeldDatabase
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_database import JournalledDatabase
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.storage import DatabaseOptions


class DbapiDatabase(HeldDatabase):
    """Where definitions are part of their transaction. Implements `octonet.kernel.storage.Database`."""

    def __init__(
        self, grammar: Grammar, listings: Listings, server: Server, model: Model, options: DatabaseOptions
    ) -> None:
        self._server = server
        self._writing = DbapiWriting(server, options.table_prefix)
        place = server.product.place
        super().__init__(
            grammar, listings, place, model, lambda: Held(server, options.query_timeout), self._writing, options
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _open_writer(self, model: Model, *, migrating: bool) -> DbapiWriter:
        writer = DbapiWriter(self._server, model, migrating=migrating)
        await self._writing.begin(writer)
        return writer


class DbapiJournalledDatabase(JournalledDatabase):
    """Where each definition is committed. Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, told: Journalling, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = DbapiWriting(server, options.table_prefix)
        super().__init__(
            told, server.product.place, model, lambda: Held(server, options.query_timeout), self._writing, options
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _begun(self, model: Model, *, migrating: bool) -> DbapiWriter:
        writer = DbapiWriter(self._server, model, migrating=migrating)
        await self._writing.begin(writer)
        return writer
