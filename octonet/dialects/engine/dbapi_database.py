"""Databases that are reached through a DB-API driver: one session writes, a few read."""

from __future__ import annotations

from octonet.dialects.engine.dbapi_server import Held, Server, open_snapshot
from octonet.dialects.engine.dbapi_writer import DbapiWriting
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.held_database import HeldDatabase
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.journal_database import JournalledDatabase
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.session_writer import SessionWriter
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.storage import DatabaseOptions


class DbapiDatabase(HeldDatabase):
    """Where definitions are part of their transaction. Implements `octonet.kernel.storage.Database`."""

    def __init__(
        self, grammar: Grammar, listings: Listings, server: Server, model: Model, options: DatabaseOptions
    ) -> None:
        self._server = server
        self._writing = DbapiWriting(server, options)
        super().__init__(
            grammar,
            listings,
            server.product.place,
            model,
            lambda: Held(server, options),
            self._writing,
            options,
            at_once=server.product.at_once,
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server, self._options.table_prefix)

    async def _open_writer(self, model: Model, *, migrating: bool) -> SessionWriter:
        return await self._writing.writer(model, migrating=migrating)


class DbapiJournalledDatabase(JournalledDatabase):
    """Where each definition is committed. Implements `octonet.kernel.storage.Database`."""

    def __init__(self, server: Server, told: Journalling, model: Model, options: DatabaseOptions) -> None:
        self._server = server
        self._writing = DbapiWriting(server, options, commits=True)
        super().__init__(
            told,
            server.product.place,
            model,
            lambda: Held(server, options),
            self._writing,
            options,
            at_once=server.product.at_once,
        )

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server, self._options.table_prefix)

    async def _begun(self, model: Model, *, migrating: bool) -> SessionWriter:
        return await self._writing.writer(model, migrating=migrating)
