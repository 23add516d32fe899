"""Connections for reading that are held for as long as a server keeps them, and opened anew when it did not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from octonet.dialects.engine.faults import Contended, Lost, Stale
from octonet.dialects.engine.links import Reader
from octonet.dialects.engine.reading import Work
from octonet.kernel.errors import StorageUnavailable, Unavailable

T = TypeVar("T")

_GOODBYE_SECONDS: Final = 2.0
_LOOK: Final = 0.005


class HeldConnection(Reader, Protocol):
    """One connection, opened when it is needed. `rows` raises `Lost` when it ended meanwhile."""

    async def within_snapshot(self, work: Work[T]) -> T:
        """Do the work in a transaction that only reads; when it fails, the transaction is left to `tidy`."""
        ...

    async def tidy(self) -> None:
        """Leave the transaction of a work that failed or was given up; what does not answer is cut."""
        ...

    def cut(self) -> None:
        """End the connection whatever it does."""
        ...

    async def close(self) -> None:
        """End an idle connection."""
        ...


class HeldConnections:
    """Connections that take turns; a query that is not done `timeout` seconds after it was asked fails."""

    def __init__(self, held: Sequence[HeldConnection], timeout: float) -> None:
        self._timeout = timeout
        self._size = len(held)
        self._places = asyncio.Semaphore(len(held))
        self._idle = list(held)
        self._busy: set[HeldConnection] = set()
        self._tidying: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, work: Work[T], *, snapshot: bool, timeout: float | None = None) -> T:
        """Do the work on one connection, within one snapshot if so asked; when the connection is lost, once more on
        another. Raises `Unavailable`, code QUERY_TIMEOUT."""
        patience = self._timeout if timeout is None else min(timeout, self._timeout)
        deadline = asyncio.get_running_loop().time() + patience
        for _ in range(self._size):
            try:
                return await self._once(work, snapshot, deadline)
            except (Stale, Contended):
                # Every connection prepared statements of its own; and whoever was in the way may be so again.
                continue
            except Lost:
                if self._closed:
                    raise
                break
        return await self._once(work, snapshot, deadline)

    async def close(self) -> None:
        """Release every connection, cutting those that are busy."""
        self._closed = True
        for held in self._busy:
            held.cut()
        patience = asyncio.get_running_loop().time() + _GOODBYE_SECONDS
        while self._busy and asyncio.get_running_loop().time() < patience:
            await asyncio.sleep(_LOOK)
        while self._idle:
            await self._idle.pop().close()

    async def _once(self, work: Work[T], snapshot: bool, deadline: float) -> T:
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
                return await self._leased(work, snapshot)
        except TimeoutError:
            late = f"the query did not finish within {self._timeout:g} seconds"
            raise Unavailable(late, code="QUERY_TIMEOUT") from None

    async def _leased(self, work: Work[T], snapshot: bool) -> T:
        if self._closed:
            self._places.release()
            raise StorageUnavailable("the database is closed")
        held = self._idle.pop()
        self._busy.add(held)
        done = False
        try:
            result = await (held.within_snapshot(work) if snapshot else work(held))
            done = True
            return result
        finally:
            if done:
                self._give_back(held)
            else:
                task = asyncio.get_running_loop().create_task(self._tidy(held))
                self._tidying.add(task)
                task.add_done_callback(self._tidying.discard)

    async def _tidy(self, held: HeldConnection) -> None:
        """The caller, who may have been cancelled or late, does not wait for this."""
        await held.tidy()
        self._give_back(held)

    def _give_back(self, held: HeldConnection) -> None:
        if self._closed:
            held.cut()
        self._busy.discard(held)
        self._idle.append(held)
        self._places.release()
