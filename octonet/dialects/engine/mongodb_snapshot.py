"""All of a database as it was at one moment. A server without transactions has no such look: everything is copied, then
what was written meanwhile, until nothing was."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Final

import bson

from octonet.dialects.engine.local_copy import Copy
from octonet.dialects.engine.mongodb_filters import of_its_kind
from octonet.dialects.engine.mongodb_layout import TURN, Layout
from octonet.dialects.engine.mongodb_ledger import Ledger, State
from octonet.dialects.engine.mongodb_server import Document, Server
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.ids import CommandId
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Checkpoint, Remembered, Stored

_AT_ONCE: Final = 1_000
_ROUNDS: Final = 10
_RENEWED_AFTER: Final = 0.5
_LOOKS: Final = 500
_PAUSE: Final = 0.01


class MongodbSnapshot:
    """Implements `octonet.kernel.storage.Snapshot`."""

    def __init__(self, copy: Copy, layout: Layout, checkpoint: Checkpoint) -> None:
        self._copy = copy
        self._layout = layout
        self._checkpoint = checkpoint

    async def checkpoint(self) -> Checkpoint:
        """See the port."""
        return self._checkpoint

    async def rows(self, schema: EntitySchema, after: str, limit: int) -> list[Stored]:
        """See the port."""
        shape = self._layout.shape(schema)
        return [shape.stored(document) for document in self._behind(shape.collection, after, limit)]

    async def remembered(self, after: str, limit: int) -> list[Remembered]:
        """See the port."""
        found = self._behind(self._layout.inbox, after, limit)
        return [Remembered(CommandId(str(each["_id"])), int(str(each["entry"]))) for each in found]

    def _behind(self, collection: str, after: str, limit: int) -> Iterator[Document]:
        for _, body in self._copy.behind(collection, after, limit):
            yield bson.decode(body)


class Copying:
    """Copies a database: everything, then what was written meanwhile, and the last of it while commits wait."""

    def __init__(self, server: Server, ledger: Ledger, layout: Layout) -> None:
        self._server = server
        self._ledger = ledger
        self._layout = layout
        self._held = ""
        self._renewed = 0.0

    async def into(self, copy: Copy) -> MongodbSnapshot:
        """Copy until it is whole. Raises `StorageUnavailable` where others write without a pause."""
        before = await self._resting()
        await self._all(copy, None)
        after = await self._resting()
        for _ in range(_ROUNDS):
            if after.turn == before.turn:
                return MongodbSnapshot(copy, self._layout, after.checkpoint)
            await self._all(copy, before.turn)
            before = after
            try:
                after = await self._hold()
                await self._all(copy, before.turn)
                if await self._renew(at_once=True):
                    return MongodbSnapshot(copy, self._layout, after.checkpoint)
            finally:
                await self._let_go()
            before, after = after, await self._resting()
        raise StorageUnavailable(f"{self._server.address} is written to without a pause: no moment can be looked at")

    async def _resting(self) -> State:
        """The state with no commit under way: one that lasts was left by somebody who died."""
        for _ in range(_LOOKS):
            state = await self._ledger.state(self._layout)
            if state is None:
                raise StorageUnavailable(f"the collections of {self._server.address} are not made yet")
            if not state.note:
                return state
            await asyncio.sleep(_PAUSE)
        await self._ledger.settled(self._layout)
        return await self._resting()

    async def _hold(self) -> State:
        """Have commits wait."""
        for _ in range(_LOOKS):
            await self._resting()
            by = uuid.uuid4().hex
            state = await self._ledger.hold(self._layout, "", by)
            if state is not None and state.held == by:
                self._held, self._renewed = by, asyncio.get_running_loop().time()
                return state
            await asyncio.sleep(_PAUSE)
        raise StorageUnavailable(f"others look at {self._server.address}, or write to it, without a pause")

    async def _renew(self, *, at_once: bool = False) -> bool:
        """Go on holding. False where it was given up for dead."""
        now = asyncio.get_running_loop().time()
        if not self._held or (now - self._renewed < _RENEWED_AFTER and not at_once):
            return True
        by = uuid.uuid4().hex
        state = await self._ledger.hold(self._layout, self._held, by)
        self._held, self._renewed = by if state is not None else "", now
        return state is not None

    async def _let_go(self) -> None:
        if self._held:
            await self._ledger.hold(self._layout, self._held, "")
            self._held = ""

    async def _all(self, copy: Copy, turn: int | None) -> None:
        """Copy everything, or what was written in this turn and later."""
        for shape in self._layout.shapes.values():
            await self._collection(copy, shape.collection, of_its_kind(shape.schema), turn)
        await self._collection(copy, self._layout.inbox, {}, turn)

    async def _collection(self, copy: Copy, name: str, kind: Document, turn: int | None) -> None:
        where = kind if turn is None else {**kind, TURN: {"$gte": turn}}
        async for batch in self._batches(name, where, None):
            copy.put(name, [(str(document["_id"]), bson.encode(document)) for document in batch])
        if turn is not None and name != self._layout.inbox:
            ids = set[str]()
            async for batch in self._batches(name, kind, {"_id": 1}):
                ids.update(str(document["_id"]) for document in batch)
            copy.keep(name, ids)

    async def _batches(
        self, name: str, where: Document, projection: dict[str, int] | None
    ) -> AsyncIterator[list[Document]]:
        async with self._server.collection(name).find(where, projection, batch_size=_AT_ONCE) as cursor:
            while batch := await self._server.written(f"copy {name}", cursor.to_list(_AT_ONCE)):
                yield batch
                await self._renew()
