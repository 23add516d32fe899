"""Rows asked for by id, by many at the same time, in one query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from octonet.dialects.engine.mongodb_layout import Shape
from octonet.dialects.engine.mongodb_server import Document
from octonet.kernel.ids import EntityId

Several: TypeAlias = Callable[[Shape, Sequence[EntityId], bool], Awaitable[list[Document]]]
"""Finds those of the rows that exist."""


class Gets:
    """Those of one turn of the event loop travel together."""

    def __init__(self, several: Several) -> None:
        self._several = several
        self._open: dict[tuple[str, bool], dict[EntityId, asyncio.Future[Document | None]]] = {}
        self._tasks: set[asyncio.Task[dict[EntityId, Document]]] = set()

    async def get(self, shape: Shape, id: EntityId, include_deleted: bool) -> Document | None:
        """One document; callers share it, and must not change it."""
        key = (shape.schema.name, include_deleted)
        waiting = self._open.get(key)
        loop = asyncio.get_running_loop()
        if waiting is None:
            waiting = self._open[key] = {}
            loop.call_soon(self._send, key, shape, waiting)
        future = waiting.get(id)
        if future is None:
            future = waiting[id] = loop.create_future()
        # Who goes away must not take the others' answer along.
        return await asyncio.shield(future)

    def _send(
        self, key: tuple[str, bool], shape: Shape, waiting: dict[EntityId, asyncio.Future[Document | None]]
    ) -> None:
        self._open.pop(key, None)
        task = asyncio.get_running_loop().create_task(self._found(shape, list(waiting), key[1]))
        self._tasks.add(task)

        def settle(done: asyncio.Task[dict[EntityId, Document]]) -> None:
            self._tasks.discard(done)
            problem = asyncio.CancelledError() if done.cancelled() else done.exception()
            for id, future in waiting.items():
                if future.done():
                    continue
                if problem is not None:
                    future.set_exception(problem)
                else:
                    future.set_result(done.result().get(id))

        task.add_done_callback(settle)

    async def _found(self, shape: Shape, ids: Sequence[EntityId], include_deleted: bool) -> dict[EntityId, Document]:
        documents = await self._several(shape, ids, include_deleted)
        return {EntityId(str(document["_id"])): document for document in documents}
