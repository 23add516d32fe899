"""The one connection that writes to MariaDB, and the transaction on it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Sequence
from typing import Final, NoReturn, TypeVar

from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.mariadb_connection import Connection
from octonet.dialects.engine.mariadb_errors import DEADLOCK, FAILURES, code_of, raise_meaning
from octonet.dialects.engine.mariadb_product import LOCK_SECONDS, MIGRATION_LOCK_SECONDS
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Internal, StorageUnavailable

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

_STATEMENT_SECONDS: Final = 120.0
_ROLLBACK_SECONDS: Final = 5.0


class WritingConnection:
    """Opened when a transaction begins, and again when it was lost. Writers of all processes that share a prefix take
    turns, by a lock that each holds until its transaction is over. Whether a commit waits for the disk is the server's
    to say, for all of its sessions: as it comes, each does."""

    def __init__(self, server: Server, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        self._connection: Connection | None = None
        self._writer: MariadbWriter | None = None
        self._lock = ""
        self._beginning = False
        self._closed = False

    async def begin(self, writer: MariadbWriter) -> None:
        """Open the write transaction. Raises `StorageUnavailable` when another process keeps its own open."""
        if self._closed:
            raise StorageUnavailable(f"the database {self._server.address} is closed")
        if self.is_open():
            raise Internal(f"a write transaction on {self._server.address} is open already")
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

    async def connect(self) -> Connection:
        """The connection, open. Raises `StorageUnavailable` with a sentence that says what to do."""
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await self._server.connect(self._server.product.writing, autocommit=False)
            ((database,),) = await connection.rows("SELECT DATABASE()", ())
            digest = hashlib.sha256(f"{database!s}/{self._prefix}".encode()).hexdigest()
            self._lock = f"octonet/{digest[:40]}"
        return connection

    async def abandon(self) -> None:
        """Roll back the transaction that is open, if one is, without its owner."""
        if self._connection is not None and self._writer is not None and self._writer.is_open():
            self._connection.terminate()

    async def close(self) -> None:
        """End the connection; the server rolls an open transaction back."""
        self._closed = True
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close()


class MariadbWriter:
    """The write transaction, for as long as it is open. One of a migration waits longer."""

    def __init__(self, server: Server, model: Model, *, migrating: bool = False) -> None:
        self._server = server
        self._model = model
        self._lock_seconds = MIGRATION_LOCK_SECONDS if migrating else LOCK_SECONDS
        self._patience = None if migrating else _STATEMENT_SECONDS
        self._connection: Connection | None = None
        self._lock = ""
        self._over = True

    def is_open(self) -> bool:
        """Whether there is something to commit or to roll back."""
        return not self._over and self._connection is not None and not self._connection.is_closed()

    async def begin_on(self, connection: Connection, lock: str) -> None:
        """Open the transaction on this connection, under this lock, or nothing."""
        self._connection, self._lock, self._over = connection, lock, False
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
        assert self._connection is not None
        await self.begin_on(self._connection, self._lock)

    @property
    def _open(self) -> Connection:
        if self._connection is None or self._over:
            raise Internal("the transaction is over")
        if self._connection.is_closed():
            raise Lost(f"the connection to {self._server.address} was lost")
        return self._connection

    async def _begin(self) -> None:
        await self._done("START TRANSACTION", self._open.run("START TRANSACTION", ()))
        arguments = (self._lock, self._lock_seconds)
        ((given,),) = await self._done("GET_LOCK", self._open.rows("SELECT GET_LOCK(?, ?)", arguments))
        if given != 1:
            raise StorageUnavailable(f"another process keeps its write transaction on {self._server.address} open")

    async def _undo(self) -> None:
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        self._server.show("ROLLBACK")
        try:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await connection.run("ROLLBACK", ())
        except FAILURES:
            connection.terminate()
        await self._release()

    async def _release(self) -> None:
        """Let the next one write. Where that fails the connection is ended, and the lock with it."""
        self._over = True
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        try:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await connection.rows("SELECT RELEASE_LOCK(?)", (self._lock,))
        except FAILURES as error:
            _log.debug("the connection that held the lock is ended: %s", error)
            connection.terminate()

    async def _done(self, text: str, work: Awaitable[T]) -> T:
        self._server.show(text)
        try:
            async with asyncio.timeout(self._patience):
                return await work
        except FAILURES as error:
            self._raise(error, text)

    def _raise(self, error: BaseException, text: str) -> NoReturn:
        assert self._connection is not None
        closed = self._connection.is_closed()
        if code_of(error) == DEADLOCK:
            # Nothing of the transaction is left, and what came next would be another one.
            self._connection.terminate()
        raise_meaning(error, self._server.address, closed=closed, model=self._model, statement=text)
