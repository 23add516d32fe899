"""A session for reading that is held for as long as its server keeps it, and opened anew when it did not; and one that
looks at everything as it was at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.reading import Work
from octonet.dialects.engine.sessions import Connect, Host, Session

T = TypeVar("T")

_TIDY_SECONDS: Final = 5.0


class HeldSession:
    """Implements `octonet.dialects.engine.held.HeldConnection`; `snapshot` are the statements that open one."""

    def __init__(self, host: Host, connect: Connect, *snapshot: str) -> None:
        self._host = host
        self._connect = connect
        self._snapshot = snapshot
        self._session: Session | None = None
        self._pinned = False
        """Whether a snapshot is open: another session would not see it."""
        self._asking = False
        """Whether a statement is under way."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer. Raises `Lost` when the connection ended meanwhile."""
        session = await self._open()
        self._host.show(text)
        self._asking = True
        try:
            found = await session.rows(text, arguments)
        except self._host.failures as error:
            self._asking = False
            self._host.raise_meaning(error, closed=session.is_closed())
        self._asking = False
        return found

    async def within_snapshot(self, work: Work[T]) -> T:
        """Do the work in a transaction that only reads; when it fails, the transaction is left to `tidy`."""
        try:
            for text in self._snapshot:
                await self._command(text)
                self._pinned = True
            result = await work(self)
            await self._command("COMMIT")
        finally:
            self._pinned = False
        return result

    async def tidy(self) -> None:
        """Leave the transaction of a work that failed; a statement that was given up is ended on the server, too."""
        session = self._session
        if session is None:
            return
        if self._asking:
            self._asking = False
            session.terminate()
            await self._host.end(session.thread)
        elif not session.is_closed():
            try:
                async with asyncio.timeout(_TIDY_SECONDS):
                    await session.run("ROLLBACK", ())
            except self._host.failures:
                session.terminate()

    def cut(self) -> None:
        """End the connection whatever it does."""
        if self._session is not None:
            self._session.terminate()

    async def close(self) -> None:
        """End an idle session."""
        if self._session is not None and not self._session.is_closed():
            await self._session.close()

    async def _command(self, text: str) -> None:
        session = await self._open()
        self._host.show(text)
        try:
            await session.run(text, ())
        except self._host.failures as error:
            self._host.raise_meaning(error, closed=session.is_closed())

    async def _open(self) -> Session:
        session = self._session
        if session is None or session.is_closed():
            if self._pinned:
                raise Lost(f"the connection to {self._host.address} was lost within a snapshot")
            session = self._session = await self._connect()
        return session


class SessionSnapshot:
    """Implements `octonet.dialects.engine.snapshot.SnapshotReader`: a session of its own, which no deadline ends."""

    def __init__(self, host: Host, session: Session) -> None:
        self._host = host
        self._session = session

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return await self._done(text, self._session.rows(text, arguments))

    async def run(self, text: str) -> None:
        """Run a statement that opens the snapshot."""
        await self._done(text, self._session.run(text, ()))

    async def _done(self, text: str, work: Awaitable[T]) -> T:
        self._host.show(text)
        try:
            return await work
        except self._host.failures as error:
            self._host.raise_meaning(error, closed=self._session.is_closed())

    async def close(self) -> None:
        """End the transaction with the session."""
        await self._session.close()
