"""A database on a server: one connection that writes, a few that read, and gets that travel together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, Self

from octonet.dialects.engine.database import SqlDatabase
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.held import HeldConnection
from octonet.dialects.engine.held_reads import Gathered, HeldReads
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.links import Reader, stored
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.filter import Options
from octonet.kernel.ids import EntityId
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import DatabaseOptions, Stored


class Writing(Protocol):
    """The connection that writes."""

    async def connect(self) -> object:
        """Open it. Raises `StorageUnavailable` with a sentence that says what to do when the server cannot be used."""
        ...

    async def abandon(self) -> None:
        """Roll back the transaction that is open, if one is, without its owner."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class HeldDatabase(SqlDatabase):
    """The common half of databases on servers; a dialect adds how snapshots and writers are opened. `identity`: the
    query whose one value tells this database from any other; `at_once`: see `octonet.dialects.engine.reading.Reads`."""

    def __init__(
        self,
        grammar: Grammar,
        listings: Listings,
        identity: str,
        model: Model,
        hold: Callable[[], HeldConnection],
        writing: Writing,
        options: DatabaseOptions,
        *,
        at_once: bool = True,
    ) -> None:
        self._connections = HeldReads(hold, options.pool_size, options.query_timeout, at_once=at_once)
        super().__init__(grammar, listings, model, self._connections, options)
        self._identity = identity
        self._gathered = Gathered(self._connections)
        self._write_connection = writing

    async def opened(self) -> Self:
        """The same, connected. Raises `StorageUnavailable` with a sentence that says what to do when the server cannot
        be used; then nothing is left open."""
        try:
            await self._write_connection.connect()
        except StorageUnavailable:
            await self.close()
            raise
        return self

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        """One live row by id, with its links and its version; gets of the same moment travel together."""
        shape = (schema.name, options.select, options.exclude, options.include_deleted)

        async def several(reader: Reader, ids: Sequence[EntityId]) -> Mapping[EntityId, Stored]:
            rows = await stored(reader, self._queries, self._queries.several(schema, options, ids))
            return {row.id: row for row in rows}

        linked = bool(self._queries.get(schema, options).junctions)
        return await self._gathered.get(shape, id, several, snapshot=linked)

    async def identity(self) -> str:
        """See the port."""

        async def ask(reader: Reader) -> str:
            return str((await reader.rows(self._identity, ()))[0][0])

        return await self._connections.long(ask, snapshot=False)

    async def close(self, *, kept: bool = False) -> None:
        """Release every connection; an open transaction is rolled back."""
        if self._closed:
            return
        self._closed = True
        await self._connections.close()
        try:
            if self._drops_at_close and not kept:
                await self._write_connection.abandon()
                await self._remove()
        finally:
            await self._write_connection.close()
