"""Connections for reading that are held for as long as the server keeps them, and opened anew when it did not."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.postgres_errors import FAILURES, Lost, Stale, raise_meaning
from octonet.dialects.engine.postgres_server import Connection, Server
from octonet.dialects.engine.reading import Work
from octonet.kernel.errors import StorageUnavailable, Unavailable

T = TypeVar("T")

_TIDY_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 2.0
_LOOK: Final = 0.005
_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Held:
    """One connection, opened when it is needed."""

    def __init__(self, server: Server, settings: Mapping[str, str]) -> None:
        self._server = server
        self._settings = settings
        self._connection: Connection | None = None
        self._pinned = False
        """Whether a snapshot is open: another connection would not see it."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer. Raises `Lost` when the connection ended meanwhile."""
        connection = self._connection
        if connection is None or connection.is_closed():
            if self._pinned:
                raise Lost(f"the connection to {self._server.address} was lost within a snapshot")
            connection = self._connection = await self._server.connect(self._settings)
        self._server.show(text)
        try:
            return await connection.fetch(text, *arguments)
        except FAILURES as error:
            raise_meaning(error, self._server.address, closed=connection.is_closed())

    async def within_snapshot(self, work: Work[T]) -> T:
        """Do the work in a transaction that only reads; when it fails, the transaction is left to `tidy`."""
        await self.rows(_SNAPSHOT, ())
        self._pinned = True
        try:
            result = await work(self)
            await self.rows("COMMIT", ())
        finally:
            self._pinned = False
        return result

    async def tidy(self) -> None:
        """Leave the transaction of a work that failed or was given up; what does not answer is cut."""
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        try:
            if not connection.is_in_transaction():
                # It may not know yet: a BEGIN that was given up is answered before this.
                await connection.execute("SELECT 1", timeout=_TIDY_SECONDS)
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK", timeout=_TIDY_SECONDS)
        except FAILURES:
            connection.terminate()

    def cut(self) -> None:
        """End the connection whatever it does."""
        if self._connection is not None:
            self._connection.terminate()

    async def close(self) -> None:
        """End an idle connection."""
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._connection.close(timeout=_GOODBYE_SECONDS)
            except FAILURES:
                self._connection.terminate()


class HeldConnections:
    """At most `size` connections; a query that is not done `timeout` seconds after it was asked fails."""

    def __init__(self, server: Server, size: int, timeout: float) -> None:
        milliseconds = str(max(1, math.ceil(timeout * 1000)))
        self._settings = {
            "default_transaction_read_only": "on",
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        }
        self._server = server
        self._timeout = timeout
        self._size = size
        self._places = asyncio.Semaphore(size)
        self._idle = [Held(server, self._settings) for _ in range(size)]
        self._busy: set[Held] = set()
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
            except Stale:
                # Every connection prepared statements of its own.
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

    async def _tidy(self, held: Held) -> None:
        """The caller, who may have been cancelled or late, does not wait for this."""
        await held.tidy()
        self._give_back(held)

    def _give_back(self, held: Held) -> None:
        if self._closed:
            held.cut()
        self._busy.discard(held)
        self._idle.append(held)
        self._places.release()
