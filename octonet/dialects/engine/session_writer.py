"""The one session that writes to a server, and the transaction on it."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from typing import Final, NoReturn, TypeVar

from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.sessions import LOCK_SECONDS, MIGRATION_LOCK_SECONDS, Connect, Host, Session
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Internal, StorageUnavailable

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

_STATEMENT_SECONDS: Final = 120.0
_ROLLBACK_SECONDS: Final = 5.0


class WritingSession(ABC):
    """Opened when a transaction begins, and again when it was lost. Writers of all processes that share a prefix take
    turns, by a lock that each holds until its transaction is over. Whether a commit waits for the disk is the server's
    to say, for all of its sessions: as it comes, each does."""

    def __init__(self, host: Host, connect: Connect) -> None:
        self._host = host
        self._connect = connect
        self._session: Session | None = None
        self._writer: SessionWriter | None = None
        self._lock = ""
        self._beginning = False
        self._closed = False

    async def begin(self, writer: SessionWriter) -> None:
        """Open the write transaction. Raises `StorageUnavailable` when another process keeps its own open."""
        if self._closed:
            raise StorageUnavailable(f"the database {self._host.address} is closed")
        if self.is_open():
            raise Internal(f"a write transaction on {self._host.address} is open already")
        self._beginning = True
        try:
            for last in (False, True):
                try:
                    await writer.begin_on(await self.connect(), self._lock)
                except Lost:
                    if last:
                        raise
                else:
                    self._writer = writer
                    return
        finally:
            self._beginning = False

    def is_open(self) -> bool:
        """Whether a transaction is open, or about to be."""
        return self._beginning or (self._writer is not None and self._writer.is_open())

    async def connect(self) -> Session:
        """The session, open. Raises `StorageUnavailable` with a sentence that says what to do."""
        session = self._session
        if session is None or session.is_closed():
            session = self._session = await self._connect()
            try:
                self._lock = await self._introduced(session)
            except self._host.failures as error:
                self._host.raise_meaning(error, closed=session.is_closed())
        return session

    @abstractmethod
    async def _introduced(self, session: Session) -> str:
        """What the lock of those who share the prefix is called, asked on a new session."""

    async def abandon(self) -> None:
        """Roll back the transaction that is open, if one is, without its owner."""
        if self._session is not None and self._writer is not None and self._writer.is_open():
            self._session.terminate()

    async def close(self) -> None:
        """End it; the server rolls an open transaction back."""
        self._closed = True
        if self._session is not None and not self._session.is_closed():
            await self._session.close()


class SessionWriter(ABC):
    """The write transaction, for as long as it is open; one of a migration waits longer. Implements
    `octonet.dialects.engine.journal_migrator.DefiningWriter`."""

    def __init__(self, host: Host, model: Model, *, migrating: bool = False) -> None:
        self._host = host
        self._model = model
        self._lock_seconds = MIGRATION_LOCK_SECONDS if migrating else LOCK_SECONDS
        self._patience = None if migrating else _STATEMENT_SECONDS
        self._session: Session | None = None
        self._lock = ""
        self._over = True

    def is_open(self) -> bool:
        """Whether there is something to commit or to roll back."""
        return not self._over and self._session is not None and not self._session.is_closed()

    async def begin_on(self, session: Session, lock: str) -> None:
        """Open the transaction on this session, under this lock, or nothing."""
        self._session, self._lock, self._over = session, lock, False
        try:
            await self._begin()
        except BaseException:
            # Given up half way, it may be open without our knowing yet.
            await self._undo()
            raise

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return await self._done(text, self._open.rows(text, arguments))

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """Run a statement; the number of rows it touched."""
        return await self._done(text, self._open.run(text, arguments))

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement over all the lines at once; the number of rows touched."""
        return await self._done(text, self._open.many(text, lines))

    async def define(self, text: str) -> None:
        """Carry out one statement that is committed with what came before it, as each definition is."""
        await self.run(text)

    async def settle(self) -> None:
        """Commit, and go on under the same lock."""
        await self.run("COMMIT")

    async def reset(self) -> None:
        """Roll back to the last commit, and go on under the same lock."""
        await self.run("ROLLBACK")

    async def commit(self) -> None:
        """Commit, or, when that fails, roll back and raise."""
        try:
            await self._done("COMMIT", self._open.run("COMMIT", ()))
        except BaseException:
            await self.rollback()
            raise
        await self._release()

    async def rollback(self) -> None:
        """Roll back; nothing happens when the transaction is already over. A server that does not answer is left."""
        if self.is_open():
            await self._undo()
        self._over = True

    async def restart(self) -> None:
        """Undo everything, and begin anew. Raises as a begin does."""
        await self.rollback()
        assert self._session is not None
        await self.begin_on(self._session, self._lock)

    @property
    def _open(self) -> Session:
        if self._session is None or self._over:
            raise Internal("the transaction is over")
        if self._session.is_closed():
            raise Lost(f"the connection to {self._host.address} was lost")
        return self._session

    @abstractmethod
    async def _begin(self) -> None:
        """Open the transaction, and take the lock. Raises `StorageUnavailable` when another process keeps it."""

    @abstractmethod
    async def _let_go(self, session: Session) -> None:
        """Give the lock back, now that the transaction is over. May raise what the driver raises."""

    async def _undo(self) -> None:
        session = self._session
        if session is None or session.is_closed():
            return
        self._host.show("ROLLBACK")
        try:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await session.run("ROLLBACK", ())
        except self._host.failures:
            session.terminate()
        await self._release()

    async def _release(self) -> None:
        """Let the next one write. Where that fails the connection is ended, and the lock with it."""
        self._over = True
        session = self._session
        if session is None or session.is_closed():
            return
        try:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await self._let_go(session)
        except self._host.failures as error:
            _log.debug("the connection that held the lock is ended: %s", error)
            session.terminate()

    async def _done(self, text: str, work: Awaitable[T]) -> T:
        self._host.show(text)
        try:
            async with asyncio.timeout(self._patience):
                return await work
        except self._host.failures as error:
            self._raise(error, text)

    def _raise(self, error: BaseException, text: str) -> NoReturn:
        assert self._session is not None
        closed = self._session.is_closed()
        if self._host.is_rolled_back(error):
            # Nothing of the transaction is left, and what came next would be another one.
            self._session.terminate()
        self._host.raise_meaning(error, closed=closed, model=self._model, statement=text)

    def _other(self) -> StorageUnavailable:
        return StorageUnavailable(f"another process keeps its write transaction on {self._host.address} open")
