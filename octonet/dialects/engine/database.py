"""What every SQL database does alike, whatever its driver: opening the write transaction, and migrating."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import msgspec

from octonet.dialects.engine.ddl import Inventory, Migration
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.model import build
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.reading import Reads, SqlSource
from octonet.dialects.engine.tables import Model
from octonet.dialects.engine.transaction import SqlTransaction, Writer
from octonet.dialects.engine.writes import Writes
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import DatabaseOptions, Strategy, Transaction


class Listings(msgspec.Struct, frozen=True):
    """The SQL by which a database tells what stands in it."""

    columns: str
    """Lines of table and column."""
    indexes: str
    """Lines of one index."""


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
        self._closed = False

    async def begin(self) -> Transaction:
        """Open the write transaction. Raises `StorageUnavailable` when another process keeps its own open."""
        writer = await self._open_writer(self._queries.model, migrating=False)
        return SqlTransaction(self._queries, self._writes, writer)

    async def migrate(self, schemas: Schemas, strategy: Strategy) -> None:
        """Bring the tables in line with the schema. `validate` raises `Conflict` listing every difference;
        `create-drop` also removes the tables when the database is closed."""
        model = build(schemas, self._grammar, self._options.table_prefix)
        await self._alter(model, lambda migration: migration.statements(strategy))
        self._queries, self._writes = Queries(model, self._grammar), Writes(model, self._grammar)
        self._drops_at_close = strategy is Strategy.CREATE_DROP

    @abstractmethod
    async def _open_writer(self, model: Model, *, migrating: bool) -> Writer:
        """The driver's connection, with a transaction open."""

    async def _alter(self, model: Model, statements: Callable[[Migration], Iterable[str]]) -> None:
        writer = await self._open_writer(model, migrating=True)
        try:
            for text in statements(Migration(model, self._grammar, await self._inventory(writer))):
                await writer.run(text)
        except BaseException:
            await writer.rollback()
            raise
        await writer.commit()

    async def _inventory(self, writer: Writer) -> Inventory:
        columns: dict[str, set[str]] = {}
        for table, column in await writer.rows(self._listings.columns, ()):
            columns.setdefault(str(table).lower(), set()).add(str(column).lower())
        indexes = frozenset(str(name).lower() for (name,) in await writer.rows(self._listings.indexes, ()))
        return Inventory({table: frozenset(names) for table, names in columns.items()}, indexes)
