"""Reading from a server: a few connections for short reads, others for long ones, and gets that travel together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.held import HeldConnection, HeldConnections
from octonet.dialects.engine.links import Reader
from octonet.dialects.engine.reading import Work
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import EntityId
from octonet.kernel.storage import Stored

T = TypeVar("T")
Several: TypeAlias = Callable[[Reader, Sequence[EntityId]], Awaitable[Mapping[EntityId, Stored]]]
"""Finds those of the rows that exist."""

_SHORT_CONNECTIONS: Final = 3
_SHORT_SECONDS: Final = 1.0
"""After which a read that was expected to be short goes to the connections for long ones."""


class HeldReads:
    """Implements `octonet.dialects.engine.reading.Reads`."""

    def __init__(self, hold: Callable[[], HeldConnection], size: int, timeout: float, *, at_once: bool = True) -> None:
        self.at_once = at_once
        self._short = HeldConnections([hold() for _ in range(_SHORT_CONNECTIONS)], timeout)
        self._long = HeldConnections([hold() for _ in range(size)], timeout)
        self._timeout = timeout

    async def one(self, text: str, arguments: Sequence[Cell]) -> Cells | None:
        """The first row of an answer that is found at once."""
        rows = await self._short.run(lambda reader: reader.rows(text, arguments), snapshot=False)
        return rows[0] if rows else None

    async def short(self, work: Work[T], *, snapshot: bool) -> T:
        """Do some reading that is expected to be short; what turns out to be long is begun anew among the long."""
        try:
            return await self._short.run(work, snapshot=snapshot, timeout=_SHORT_SECONDS)
        except Unavailable as late:
            if late.code != "QUERY_TIMEOUT" or self._timeout <= _SHORT_SECONDS:
                raise
        return await self._long.run(work, snapshot=snapshot)

    async def perhaps(self, work: Work[T], text: str, *, snapshot: bool) -> T:
        """Do some reading that may be long: a connection for short reads is not to be kept from them."""
        return await self.long(work, snapshot=snapshot)

    async def long(self, work: Work[T], *, snapshot: bool) -> T:
        """Do some reading of any length."""
        return await self._long.run(work, snapshot=snapshot)

    async def close(self) -> None:
        """Release every connection."""
        await asyncio.gather(self._short.close(), self._long.close())


class _Batch:
    """The gets of one shape that wait for one query."""

    def __init__(self) -> None:
        self.waiting: dict[EntityId, list[asyncio.Future[Stored | None]]] = {}

    def join(self, id: EntityId) -> asyncio.Future[Stored | None]:
        future: asyncio.Future[Stored | None] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(id, []).append(future)
        return future

    def settle(self, task: asyncio.Task[Mapping[EntityId, Stored]]) -> None:
        problem = asyncio.CancelledError() if task.cancelled() else task.exception()
        for id, futures in self.waiting.items():
            for future in futures:
                if future.done():  # its caller went away
                    continue
                if problem is not None:
                    future.set_exception(problem)
                else:
                    row = task.result().get(id)
                    # Each caller populates and narrows a row of its own.
                    future.set_result(None if row is None else Stored(row.id, row.version, row.state.copy()))


class Gathered:
    """Rows asked for by id, by many at the same time, in one query: those of one turn of the loop, and those that
    come while they wait for a connection."""

    def __init__(self, reads: HeldReads) -> None:
        self._reads = reads
        self._open: dict[Hashable, _Batch] = {}
        self._tasks: set[asyncio.Task[Mapping[EntityId, Stored]]] = set()

    async def get(self, shape: Hashable, id: EntityId, several: Several, *, snapshot: bool) -> Stored | None:
        """One row, found together with the others of this shape."""
        batch = self._open.get(shape)
        if batch is None:
            batch = self._open[shape] = _Batch()
            asyncio.get_running_loop().call_soon(self._send, shape, batch, several, snapshot)
        return await batch.join(id)

    def _send(self, shape: Hashable, batch: _Batch, several: Several, snapshot: bool) -> None:
        async def work(reader: Reader) -> Mapping[EntityId, Stored]:
            self._shut(shape, batch)
            return await several(reader, list(batch.waiting))

        task = asyncio.get_running_loop().create_task(self._reads.short(work, snapshot=snapshot))
        self._tasks.add(task)

        def settle(done: asyncio.Task[Mapping[EntityId, Stored]]) -> None:
            self._tasks.discard(done)
            self._shut(shape, batch)
            batch.settle(done)

        task.add_done_callback(settle)

    def _shut(self, shape: Hashable, batch: _Batch) -> None:
        """Who comes from now on waits for the next query."""
        if self._open.get(shape) is batch:
            del self._open[shape]
