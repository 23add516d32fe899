"""The read side on MongoDB. What the server would answer otherwise than every dialect does is evaluated here, over the
rows of a wider query."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from octonet.dialects.engine import mongodb_pipeline
from octonet.dialects.engine.mongodb_filters import field, living
from octonet.dialects.engine.mongodb_gets import Gets
from octonet.dialects.engine.mongodb_layout import LINKS, TURN, UNIQUE, Layout, Shape, chunked, version_of
from octonet.dialects.engine.mongodb_ledger import Ledger
from octonet.dialects.engine.mongodb_server import Document, Server
from octonet.kernel.aggregate import Match, Stage
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.filter import EVERYTHING, Filter, In, Options, Order
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import CommandId, EntityId, Row
from octonet.kernel.schema import ID, VERSION_COLUMN, EntitySchema, Relation
from octonet.kernel.storage import Checkpoint, Page, Stored

_BATCH: Final = 1_000
_MOST_IDS: Final = 5_000


class MongodbSource:
    """Implements `octonet.kernel.storage.Source`."""

    def __init__(self, server: Server, ledger: Ledger, layout: Layout) -> None:
        self._server = server
        self._ledger = ledger
        self._layout = layout
        self._gets = Gets(self._several)
        self._made = False
        """Whether a migration was seen to have been there."""

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        """One live row by id, with its links and its version."""
        shape = self._layout.shape(schema)
        document = await self._gets.get(shape, id, options.include_deleted)
        if document is None:
            return None
        return Stored(id, version_of(document), shape.row(document, *shape.shown(options)))

    async def whole(self, schema: EntitySchema, id: EntityId) -> Stored | None:
        """The same with its secrets: see `octonet.kernel.storage.Database`."""
        shape = self._layout.shape(schema)
        document = await self._gets.get(shape, id, False)
        return None if document is None else shape.stored(document)

    async def version(self, schema: EntitySchema, id: EntityId) -> int | None:
        """The version of a live row, for conditional requests."""
        document = await self._gets.get(self._layout.shape(schema), id, False)
        return None if document is None else version_of(document)

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        """Matching rows in the order asked for, then by id, each with its links."""
        options, shape = page.options, self._layout.shape(schema)
        columns, relations = shape.shown(options)
        if page.limit == 0:
            return []
        found = await self._server.read(f"find in {shape.collection}", self._page(shape, page))
        rows = []
        for document in found:
            row = shape.row(document, columns, ())
            if options.versions:
                row[VERSION_COLUMN] = version_of(document)
            rows.append(row | shape.row(document, (), relations))
        return rows

    async def count(self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False) -> int:
        """How many rows match."""
        shape, asked = self._layout.shape(schema), living(schema, where, include_deleted)
        what = f"count in {shape.collection}"
        if asked.exact:
            await self._expect_made()
            return await self._server.read(what, self._server.collection(shape.collection).count_documents(asked.query))

        async def counted() -> int:
            async with aclosing(self._matching(shape, where, include_deleted, None)) as found:
                return len([None async for _ in found])

        return await self._server.read(what, counted())

    async def aggregate(self, schema: EntitySchema, stages: Sequence[Stage], limit: int) -> list[Row]:
        """The pipeline's rows, at most `limit`; rows that are not grouped come without links."""
        shape = self._layout.shape(schema)
        columns, _ = shape.shown(Options())
        where = stages[0].filter if stages and isinstance(stages[0], Match) else EVERYTHING

        async def rows() -> list[Row]:
            async with aclosing(self._matching(shape, where, False, ())) as found:
                return [shape.row(document, columns, ()) async for document in found]

        found = await self._server.read(f"aggregate {shape.collection}", rows())
        types = {name: shape.types[name] for name in columns}
        return mongodb_pipeline.run(stages, found, types, limit)

    async def pairs(
        self, schema: EntitySchema, relation: Relation, owners: Sequence[EntityId]
    ) -> list[tuple[EntityId, EntityId]]:
        """The (owner, target) links of a many-to-many relation, ordered by owner, target."""
        shape = self._layout.shape(schema)
        found: list[tuple[EntityId, EntityId]] = []
        for chunk in chunked(list(dict.fromkeys(owners)), _MOST_IDS):
            cursor = self._server.collection(shape.collection).find({"_id": {"$in": chunk}}, {LINKS: 1})
            for document in await self._server.read(f"find in {shape.collection}", cursor.to_list()):
                owner = EntityId(str(document["_id"]))
                targets = shape.row(document, (), (relation.name,))[relation.name]
                assert isinstance(targets, list)
                found += [(owner, EntityId(str(target))) for target in targets]
        return sorted(found)

    async def checkpoint(self) -> Checkpoint:
        """How far this source has folded the log."""
        state = await self._server.read("find the state", self._ledger.state(self._layout))
        if state is None:
            raise self._not_made()
        return state.checkpoint

    async def recall(self, id: CommandId) -> int | None:
        """The log entry that decided the command, if it was decided."""
        found = await self._server.read(
            "recall a command", self._server.collection(self._layout.inbox).find_one({"_id": id})
        )
        return None if found is None else int(str(found["entry"]))

    async def _page(self, shape: Shape, page: Page) -> list[Document]:
        options = page.options
        last = options.skip + page.limit
        asked = living(shape.schema, page.where, options.include_deleted)
        if asked.exact:
            await self._expect_made()
            cursor = self._server.collection(shape.collection).find(asked.query, {TURN: 0, UNIQUE: 0})
            cursor = cursor.sort(_sort(options.sort)).skip(options.skip).limit(page.limit)
            return await cursor.to_list()
        found: list[Document] = []
        async with aclosing(self._matching(shape, page.where, options.include_deleted, options.sort)) as rows:
            async for document in rows:
                found.append(document)
                if len(found) == last:
                    break
        return found[options.skip :]

    async def _matching(
        self, shape: Shape, where: Filter, include_deleted: bool, sort: Sequence[Order] | None
    ) -> AsyncGenerator[Document, None]:
        await self._expect_made()
        asked = living(shape.schema, where, include_deleted)
        cursor = self._server.collection(shape.collection).find(asked.query, {TURN: 0, UNIQUE: 0}, batch_size=_BATCH)
        async with cursor if sort is None else cursor.sort(_sort(sort)) as found:
            async for document in found:
                if asked.exact or matches(where, shape.row(document, shape.types, ())):
                    yield document

    async def _several(self, shape: Shape, ids: Sequence[EntityId], include_deleted: bool) -> list[Document]:
        await self._expect_made()
        asked = living(shape.schema, In(ID, tuple(ids)), include_deleted)
        cursor = self._server.collection(shape.collection).find(asked.query)
        return await self._server.read(f"find in {shape.collection}", cursor.to_list())

    async def _expect_made(self) -> None:
        """A server answers for a collection that is not there as for an empty one."""
        if not self._made:
            if await self._ledger.state(self._layout) is None:
                raise self._not_made()
            self._made = True

    def _not_made(self) -> StorageUnavailable:
        return StorageUnavailable(f"the collections of {self._server.address} are not made yet")


def _sort(orders: Sequence[Order]) -> list[tuple[str, int]]:
    """Always down to one row. Nulls are lowest unasked."""
    terms: dict[str, int] = {}
    for order in orders:
        terms.setdefault(field(order.column), -1 if order.descending else 1)
    terms.setdefault("_id", 1)
    return list(terms.items())
