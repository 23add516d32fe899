"""A database on a server of MariaDB's kind."""

from __future__ import annotations

from octonet.dialects.engine.journal_database import JournalledDatabase
from octonet.dialects.engine.journal_migrator import Journalling
from octonet.dialects.engine.mariadb_held import Held, open_snapshot
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.mariadb_writer import MariadbWriter, WritingConnection
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.tables import Model
from octonet.kernel.storage import DatabaseOptions


class MariadbDatabase(JournalledDatabase):
    """Implements `octonet.kernel.storage.Database`. `identity`: the query whose one value tells it from any other."""

    def __init__(
        self, server: Server, told: Journalling, identity: str, model: Model, options: DatabaseOptions
    ) -> None:
        self._server = server
        self._writing = WritingConnection(server, options.table_prefix)
        super().__init__(told, identity, model, lambda: Held(server, options.query_timeout), self._writing, options)

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._server)

    async def _begun(self, model: Model, *, migrating: bool) -> MariadbWriter:
        writer = MariadbWriter(self._server, model, migrating=migrating)
        await self._writing.begin(writer)
        return writer
