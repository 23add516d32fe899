"""Connections for reading that may take long: a few, opened when needed, each query with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from octonet.dialects.engine.links import Reader
from octonet.dialects.engine.reading import Work
from octonet.kernel.errors import StorageUnavailable, Unavailable

T = TypeVar("T")

_AGAIN = 0.02
"""Seconds after which an interruption is repeated: one that comes between two statements stops nothing."""


class PooledReader(Reader, Protocol):
    """A connection of the pool."""

    async def begin(self) -> None:
        """Open a snapshot."""
        ...

    async def end(self) -> None:
        """Close the snapshot, whatever happened in it."""
        ...

    async def interrupt(self) -> None:
        """Make the statement that is running, if one is, fail soon. May be called while `rows` is under way."""
        ...

    async def close(self) -> None:
        """Release the connection."""
        ...


class Pool:
    """At most `size` connections; a query that is not done `timeout` seconds after it was asked fails."""

    def __init__(self, connect: Callable[[], Awaitable[PooledReader]], size: int, timeout: float) -> None:
        self._connect = connect
        self._timeout = timeout
        self._places = asyncio.Semaphore(size)
        self._size = size
        self._idle: list[PooledReader] = []
        self._busy: set[PooledReader] = set()
        self._abandoned: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, work: Work[T], *, snapshot: bool) -> T:
        """Do the work on one connection, within one snapshot if so asked. Raises `Unavailable`, code QUERY_TIMEOUT."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        reader = await self._lease(deadline)
        task = loop.create_task(_done(reader, work, snapshot))
        try:
            await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
        finally:
            # The caller may have been cancelled: the connection is busy until its thread says otherwise.
            if task.done():
                self._give_back(reader)
            else:
                self._abandon(reader, task)
        if not task.done():
            raise self._late()
        return task.result()

    async def close(self) -> None:
        """Interrupt what is running, and release every connection."""
        if self._closed:
            return
        self._closed = True
        for _ in range(self._size):
            while self._places.locked():
                for reader in self._busy:
                    await reader.interrupt()
                await asyncio.sleep(_AGAIN)
            await self._places.acquire()
        while self._idle:
            await self._idle.pop().close()
        # Whoever asks from now on is let in to be told that nobody is there.
        for _ in range(self._size):
            self._places.release()

    async def _lease(self, deadline: float) -> PooledReader:
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError:
            raise self._late() from None
        try:
            if self._closed:
                raise StorageUnavailable("the database is closed")
            reader = self._idle.pop() if self._idle else await self._connect()
        except BaseException:
            self._places.release()
            raise
        self._busy.add(reader)
        return reader

    def _give_back(self, reader: PooledReader) -> None:
        self._busy.discard(reader)
        self._idle.append(reader)
        self._places.release()

    def _abandon(self, reader: PooledReader, task: asyncio.Task[T]) -> None:
        ending = asyncio.get_running_loop().create_task(self._stop(reader, task))
        self._abandoned.add(ending)
        ending.add_done_callback(self._abandoned.discard)

    async def _stop(self, reader: PooledReader, task: asyncio.Task[T]) -> None:
        while not task.done():
            await reader.interrupt()
            await asyncio.wait({task}, timeout=_AGAIN)
        task.exception()  # nobody waits for it any more
        self._give_back(reader)

    def _late(self) -> Unavailable:
        return Unavailable(f"the query did not finish within {self._timeout:g} seconds", code="QUERY_TIMEOUT")


async def _done(reader: PooledReader, work: Work[T], snapshot: bool) -> T:
    if not snapshot:
        return await work(reader)
    await reader.begin()
    try:
        return await work(reader)
    finally:
        await reader.end()
