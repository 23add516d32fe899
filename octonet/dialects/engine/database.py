"""What every SQL database does alike, whatever its driver: opening the write transaction, and migrating."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from octonet.dialects.engine.copied_snapshot import copied
from octonet.dialects.engine.follower import Follower, followed
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.inventory import Inventory, Listings, take
from octonet.dialects.engine.links import Reader
from octonet.dialects.engine.local_copy import place
from octonet.dialects.engine.model import build
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.reading import Reads, SqlSource, checkpoint_of
from octonet.dialects.engine.snapshot import SnapshotReader, SqlSnapshot
from octonet.dialects.engine.tables import Model
from octonet.dialects.engine.transaction import SqlTransaction, Writer
from octonet.dialects.engine.writes import Writes
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Checkpoint, Contents, DatabaseOptions, Followed, Snapshot, Strategy, Transaction


class SqlDatabase(SqlSource, ABC):
    """The common half of `octonet.kernel.storage.Database`; a dialect adds `close` and how a writer is opened."""

    def __init__(
        self, grammar: Grammar, listings: Listings, model: Model, reads: Reads, options: DatabaseOptions
    ) -> None:
        super().__init__(Queries(model, grammar), reads)
        self._grammar = grammar
        self._listings = listings
        self._writes = Writes(model, grammar)
        self._options = options
        self._drops_at_close = False
        self._ours: bool | None = None
        """Whether the tables are looked after here: not known until a strategy tells."""
        self._closed = False

    async def begin(self) -> Transaction:
        """Open the write transaction. Raises `StorageUnavailable` when another process keeps its own open."""
        writer = await self._open_writer(self._queries.model, migrating=False)
        return SqlTransaction(self._queries, self._writes, writer)

    async def migrate(
        self, schemas: Schemas, strategy: Strategy, *, drop: bool = False, mark: Checkpoint | None = None
    ) -> None:
        """See the port. `create-drop` also removes the tables when the database is closed."""
        model = build(schemas, self._grammar, self._options.table_prefix)
        writer = await self._open_writer(model, migrating=True)
        try:
            follower = Follower(model, self._grammar, writer, self._inventory(writer))
            await follower.prepare(strategy)
            if strategy is Strategy.UPDATE:
                model = await follower.follow(schemas, drop=drop)
            elif strategy in (Strategy.CREATE, Strategy.CREATE_DROP):
                await follower.note(schemas)
            queries, writes = Queries(model, self._grammar), Writes(model, self._grammar)
            if mark is not None:
                await SqlTransaction(queries, writes, writer).move_checkpoint(mark)
        except BaseException:
            await writer.rollback()
            raise
        await writer.commit()
        self._queries, self._writes = queries, writes
        if strategy in (Strategy.CREATE, Strategy.CREATE_DROP):
            self._drops_at_close = strategy is Strategy.CREATE_DROP
        self._ours = self._ours or strategy not in (Strategy.NONE, Strategy.VALIDATE)

    async def follows(self) -> Followed | None:
        """See the port."""
        if self._ours is False:
            return None
        # Only read: a worker that takes over must get as far as its claim while the one before it holds the lock.
        return await self._reads.long(self._followed, snapshot=False)

    async def _followed(self, reader: Reader) -> Followed | None:
        there = await take(reader, self._listings, self._grammar)
        return await followed(self._queries.model, self._grammar, reader, there)

    async def contents(self) -> Contents:
        """See the port."""
        return await self._reads.long(self._contents, snapshot=True)

    async def _contents(self, reader: Reader) -> Contents:
        there = (await take(reader, self._listings, self._grammar)).columns
        mark = None
        if self._grammar.fold(self._queries.model.checkpoint.name) in there:
            mark = checkpoint_of(await reader.rows(self._queries.checkpoint().statement.text, ()))
        return Contents(tuple(sorted(there)), mark)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """See the port."""
        if self._reads.at_once:
            async with self._look() as look:
                yield look
        else:
            # A moment is seen while nobody writes: no longer than it takes to copy it.
            with place() as copy:
                async with self._look() as look:
                    found = await copied(look, [e.schema for e in self._queries.model.entities.values()], copy)
                yield found

    @asynccontextmanager
    async def _look(self) -> AsyncIterator[SqlSnapshot]:
        queries, reader = self._queries, await self._open_snapshot()
        try:
            yield SqlSnapshot(queries, reader)
        finally:
            await reader.close()

    @abstractmethod
    async def identity(self) -> str:
        """See the port."""

    @abstractmethod
    async def _open_snapshot(self) -> SnapshotReader:
        """A connection of its own, with a snapshot open."""

    @abstractmethod
    async def _open_writer(self, model: Model, *, migrating: bool) -> Writer:
        """The driver's connection, with a transaction open."""

    async def _remove(self) -> None:
        """Drop every table."""
        model = self._queries.model
        writer = await self._open_writer(model, migrating=True)
        try:
            await Follower(model, self._grammar, writer, self._inventory(writer)).drop()
        except BaseException:
            await writer.rollback()
            raise
        await writer.commit()

    def _inventory(self, writer: Writer) -> Callable[[], Awaitable[Inventory]]:
        return lambda: take(writer, self._listings, self._grammar)
