"""The write transaction on MongoDB: kept in memory, over what the server holds, until it is committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

import bson

from octonet.dialects.engine import faults
from octonet.dialects.engine.mongodb_filters import field, living
from octonet.dialects.engine.mongodb_layout import LINKS, TURN, UNIQUE, Key, Layout, Shape, chunked
from octonet.dialects.engine.mongodb_ledger import Kind, State, Write, writing
from octonet.dialects.engine.mongodb_overlay import Overlay, Written
from octonet.dialects.engine.mongodb_server import Document, Server
from octonet.kernel.errors import ConstraintViolation, Internal, OctonetError
from octonet.kernel.filter import Filter, In
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import BEHIND_UUIDS, CommandId, EntityId
from octonet.kernel.schema import DELETED_AT, ID, EntitySchema, Relation
from octonet.kernel.storage import Checkpoint, Remembered, Stored

MOST_IDS: Final = 5_000
"""Ids that one query names."""
_LONGEST: Final = 15_000_000
"""Bytes of a document; the server takes 16 MiB, and a noted commit adds some of its own."""

Commit = Callable[[State, Checkpoint, Sequence[Write]], Awaitable[None]]


class MongodbTransaction:
    """Implements `octonet.kernel.storage.Transaction`. `over` is told when it is."""

    def __init__(self, server: Server, layout: Layout, state: State, commit: Commit, over: Callable[[], None]) -> None:
        self._server = server
        self._layout = layout
        self._state = state
        self._commit = commit
        self._end = over
        self._over = False
        self._overlay = Overlay()
        self._seen: dict[str, dict[EntityId, Stored | None]] = {}
        """Rows as the server holds them, or that it has none."""
        self._beside: dict[tuple[str, EntityId], Document] = {}
        """What documents hold that no schema names any more: it belongs to them for as long as they live."""
        self._unknown: set[CommandId] = set()
        """Commands that the server was asked for and does not know."""

    async def checkpoint(self) -> Checkpoint:
        """See the port."""
        moved = self._written.checkpoint
        return self._state.checkpoint if moved is None else moved

    async def move_checkpoint(self, to: Checkpoint) -> None:
        """See the port."""
        self._written.move(to)

    async def recall(self, ids: Collection[CommandId]) -> Mapping[CommandId, int]:
        """See the port."""
        own = self._written.commands
        found = {id: own[id] for id in ids if id in own}
        for chunk in chunked([id for id in dict.fromkeys(ids) if id not in found], MOST_IDS):
            async for document in self._find(self._layout.inbox, {"_id": {"$in": chunk}}):
                found[CommandId(str(document["_id"]))] = int(str(document["entry"]))
        self._unknown.update(id for id in ids if id not in found)
        return found

    async def newest(self) -> CommandId:
        """See the port."""
        own = [id for id in self._written.commands if id < BEHIND_UUIDS]
        last = self._server.collection(self._layout.inbox).find_one({"_id": {"$lt": BEHIND_UUIDS}}, sort=[("_id", -1)])
        found = await self._server.written("find the newest command", last)
        return CommandId(max([*own, "" if found is None else str(found["_id"])]))

    async def remember(self, decided: Sequence[Remembered]) -> None:
        """See the port."""
        known = await self.recall([each.command_id for each in decided if each.command_id not in self._unknown])
        for each in decided:
            if each.command_id in known or each.command_id in self._written.commands:
                raise Internal(f"{self._layout.inbox} already holds a row with the same command_id")
            self._written.remember(each.command_id, each.entry)

    async def fetch(self, schema: EntitySchema, ids: Collection[EntityId]) -> Mapping[EntityId, Stored]:
        """See the port."""
        shape, written = self._layout.shape(schema), self._written.rows(schema.name)
        await self._see(shape, [id for id in ids if id not in written])
        seen = self._seen[schema.name]
        found = {id: written[id].row if id in written else seen[id] for id in ids}
        return {id: row for id, row in found.items() if row is not None}

    async def present(self, schema: EntitySchema, ids: Collection[EntityId]) -> frozenset[EntityId]:
        """See the port."""
        rows = await self.fetch(schema, ids)
        return frozenset(id for id, row in rows.items() if _shown(schema, row, False))

    async def match(
        self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False, limit: int | None = None
    ) -> list[EntityId]:
        """See the port."""
        written = self._written.rows(schema.name)
        found = [
            id
            for id, each in written.items()
            if each.row is not None and _shown(schema, each.row, include_deleted) and matches(where, each.row.state)
        ]
        if limit == 0:
            return []
        stored = 0
        async for id in self._stored_ids(schema, where, include_deleted):
            if id in written:
                continue
            found.append(id)
            stored += 1
            if stored == limit:
                break
        return sorted(found)[:limit]

    async def linked(self, schema: EntitySchema, relation: Relation, targets: Collection[EntityId]) -> list[EntityId]:
        """See the port."""
        shape, written = self._layout.shape(schema), self._written.rows(schema.name)
        wanted = frozenset(targets)
        found = {
            id for id, each in written.items() if each.row is not None and wanted & _links(each.row, relation.name)
        }
        path = f"{LINKS}.{shape.links[relation.name]}"
        for chunk in chunked(wanted, MOST_IDS):
            async for document in self._find(shape.collection, {path: {"$in": chunk}}, {"_id": 1}):
                if (id := EntityId(str(document["_id"]))) not in written:
                    found.add(id)
        return sorted(found)

    async def insert(self, schema: EntitySchema, rows: Sequence[Stored]) -> None:
        """See the port."""
        shape = self._layout.shape(schema)
        there = await self.fetch(schema, [row.id for row in rows])
        for row in rows:
            before = self._written.rows(schema.name).get(row.id)
            if row.id in there or (before is not None and before.row is not None):
                raise faults.taken(self._layout.model, shape.collection, [ID])
            stands = before is not None and before.stands
            self._put(shape, row, stands=stands, anew=stands)
        await self._expect_unique(shape, [(row, None) for row in rows])

    async def update(self, schema: EntitySchema, rows: Sequence[tuple[int, Stored]]) -> None:
        """See the port."""
        shape = self._layout.shape(schema)
        before = await self.fetch(schema, [row.id for _, row in rows])
        there = [row for version, row in rows if row.id in before and before[row.id].version == version]
        _expect(schema, len(rows), len(there))
        for row in there:
            known = self._written.rows(schema.name).get(row.id) or Written(None, stands=True)
            self._put(shape, row, stands=known.stands, anew=known.anew)
        await self._expect_unique(shape, [(row, before[row.id]) for row in there])

    async def delete(self, schema: EntitySchema, ids: Sequence[EntityId]) -> None:
        """See the port."""
        there = await self.fetch(schema, ids)
        _expect(schema, len(set(ids)), len(there))
        for id in there:
            known = self._written.rows(schema.name).get(id) or Written(None, stands=True)
            self._written.put(schema.name, id, Written(None, stands=known.stands))

    async def savepoint(self) -> None:
        """See the port."""
        self._written.savepoint()

    async def release(self) -> None:
        """See the port."""
        self._written.release()

    async def rollback_to(self) -> None:
        """See the port."""
        self._written.rollback_to()

    async def commit(self) -> None:
        """See the port."""
        overlay = self._written
        writes = list(self._writes())
        self._over = True
        try:
            if writes or overlay.checkpoint is not None:
                await self._commit(self._state, overlay.checkpoint or self._state.checkpoint, writes)
        finally:
            self._end()

    async def rollback(self) -> None:
        """See the port."""
        if not self._over:
            self._over = True
            self._end()

    @property
    def _written(self) -> Overlay:
        if self._over:
            raise Internal("the transaction is over")
        return self._overlay

    def _writes(self) -> Iterator[Write]:
        for entity, rows in self._overlay.entities():
            shape = self._layout.shapes[entity]
            for id, each in rows.items():
                if each.row is None:
                    if each.stands:
                        yield Write(Kind.GONE, shape.collection, id)
                    continue
                kind = Kind.ANEW if each.anew else Kind.SET if each.stands else Kind.NEW
                yield Write(kind, shape.collection, id, each.document)
        turn = self._state.turn
        for command, entry in self._overlay.commands.items():
            yield writing(Kind.NEW, self._layout.inbox, {"_id": command, "entry": entry, TURN: turn})

    def _put(self, shape: Shape, row: Stored, *, stands: bool, anew: bool) -> None:
        row = shape.normal(row)
        missing = [column.name for column in shape.schema.columns.values() if not column.nullable]
        missing = [name for name in missing if row.state[name] is None]
        if missing:
            raise faults.missing(self._layout.model, shape.collection, missing[:1])
        beside = {} if anew or not stands else self._beside.get((shape.schema.name, row.id), {})
        document = bson.encode(shape.document(row, self._state.turn) | beside)
        if len(document) > _LONGEST:
            raise ConstraintViolation(
                f"a {shape.schema.name} is too long: the database takes 15 MB", code=faults.TOO_LONG
            )
        self._written.put(shape.schema.name, row.id, Written(row, document, shape.keys(row), stands, anew))

    async def _see(self, shape: Shape, ids: Collection[EntityId]) -> None:
        """Learn how the server holds rows."""
        seen = self._seen.setdefault(shape.schema.name, {})
        unseen = [id for id in dict.fromkeys(ids) if id not in seen]
        seen.update(dict.fromkeys(unseen))
        try:
            for chunk in chunked(unseen, MOST_IDS):
                async for document in self._find(shape.collection, {"_id": {"$in": chunk}}):
                    row = shape.stored(document)
                    seen[row.id] = row
                    if beside := shape.beside(document):
                        self._beside[shape.schema.name, row.id] = beside
        except BaseException:
            for id in unseen:
                seen.pop(id, None)
            raise

    async def _expect_unique(self, shape: Shape, rows: Sequence[tuple[Stored, Stored | None]]) -> None:
        """Raises `ConstraintViolation` when another row holds what one of these, given with what it was, holds now."""
        fresh: list[Key] = []
        for row, before in rows:
            held = frozenset(shape.keys(before)) if before is not None else frozenset()
            fresh += [key for key in shape.keys(row) if key not in held]
            for key in shape.keys(row):
                if len(self._written.holders(shape.schema.name, key)) > 1:
                    raise self._taken(shape, key[0])
        for name in shape.unique:
            await self._expect_free(shape, name, [digest for key, digest in fresh if key == name])

    async def _expect_free(self, shape: Shape, name: str, digests: Sequence[str]) -> None:
        written = self._written.rows(shape.schema.name)
        for chunk in chunked(digests, MOST_IDS):
            where: Document = {f"{UNIQUE}.{name}": {"$in": chunk}}
            async for document in self._find(shape.collection, where, {"_id": 1}):
                # A row that was written holds what it holds by now.
                if document["_id"] not in written:
                    raise self._taken(shape, name)

    def _taken(self, shape: Shape, name: str) -> OctonetError:
        return faults.taken(self._layout.model, shape.collection, shape.unique[name])

    async def _stored_ids(self, schema: EntitySchema, where: Filter, include_deleted: bool) -> AsyncIterator[EntityId]:
        if isinstance(where, In) and where.column == ID and not where.values and not where.negated:
            return
        shape, asked = self._layout.shape(schema), living(schema, where, include_deleted)
        projection = {"_id": 1} if asked.exact else None
        async for document in self._find(shape.collection, asked.query, projection, in_order=True):
            if asked.exact or matches(where, shape.row(document, shape.types, ())):
                yield EntityId(str(document["_id"]))

    async def _find(
        self, collection: str, where: Document, projection: dict[str, int] | None = None, *, in_order: bool = False
    ) -> AsyncIterator[Document]:
        cursor = self._server.collection(collection).find(where, projection, batch_size=MOST_IDS)
        if in_order:
            cursor = cursor.sort([(field(ID), 1)])
        async with cursor:
            while batch := await self._server.written(f"find in {collection}", cursor.to_list(MOST_IDS)):
                for document in batch:
                    yield document


def _shown(schema: EntitySchema, row: Stored, include_deleted: bool) -> bool:
    if schema.soft_delete and not include_deleted and row.state.get(DELETED_AT) is not None:
        return False
    kind = schema.discriminator_value
    return not (schema.discriminator and kind) or row.state.get(schema.discriminator) == kind


def _links(row: Stored, relation: str) -> frozenset[EntityId]:
    held = row.state.get(relation)
    return frozenset(EntityId(str(target)) for target in held) if isinstance(held, list) else frozenset()


def _expect(schema: EntitySchema, rows: int, touched: int) -> None:
    if touched != rows:
        raise Internal(f"{rows} rows of {schema.name} were to be changed, {touched} were there as expected")
