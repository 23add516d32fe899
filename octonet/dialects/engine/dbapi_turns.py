"""The write transaction where writer and readers take turns at a table (ADR-0028)."""

from __future__ import annotations

import asyncio

from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.dbapi_link import Connection
from octonet.dialects.engine.dbapi_locks import Turns
from octonet.dialects.engine.dbapi_server import Server
from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.session_writer import SessionWriter
from octonet.dialects.engine.sessions import Session
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import StorageUnavailable


class Turn:
    """Taken in a transaction, and over with it. Readers may keep it for `longest_read` seconds."""

    def __init__(self, server: Server, turns: Turns, longest_read: int) -> None:
        self._server = server
        self._turns = turns
        self._longest_read = longest_read

    async def take(self, session: Session, seconds: int) -> None:
        """Open a transaction, and wait for the turn. Raises `StorageUnavailable` when somebody keeps it."""
        patience = seconds + self._longest_read
        try:
            # The server is asked to end it in time, and is not relied upon.
            async with asyncio.timeout(patience + 1):
                for text in filter(None, (self._server.product.begin, *self._turns.owning(patience))):
                    self._server.show(text)
                    await session.run(text, ())
        except TimeoutError as late:
            raise self._kept() from late
        except Failure as failure:
            if failure.code in self._turns.kept:
                raise self._kept() from failure
            self._server.raise_meaning(failure, closed=session.is_closed())

    async def open_apart(self, seconds: int) -> ApartTurn:
        """Take it on a session of its own."""
        session = await self._server.connect(self._server.product.writing)
        try:
            await self.take(session, seconds)
        except BaseException:
            session.terminate()
            raise
        return ApartTurn(self._server, session)

    def _kept(self) -> StorageUnavailable:
        return StorageUnavailable(
            f"others keep their turn on {self._server.address}: another process writes there, or reads all of it"
        )


class ApartTurn:
    """The turn of a migration whose definitions end transactions: one on another session does nothing but keep it."""

    def __init__(self, server: Server, session: Connection) -> None:
        self._server = server
        self._session = session

    async def keep(self) -> None:
        """Go on. Raises `Lost` when it is over: nothing may be done any more."""
        try:
            await self._session.rows(self._server.product.place, ())
        except self._server.failures as error:
            raise Lost(f"the migration of {self._server.address} lost its turn") from error

    def give_up(self) -> None:
        """Let the next one write."""
        self._session.terminate()


class TurnWriter(SessionWriter):
    """The write transaction, for as long as it is open. `commits`: whether each definition is committed; then the turn
    of a migration is kept on another session."""

    def __init__(self, server: Server, turn: Turn, model: Model, *, migrating: bool, commits: bool) -> None:
        super().__init__(server, model, migrating=migrating)
        self._begins = server.product.begin
        self._turn = turn
        self._keeps_apart = migrating and commits
        self._apart: ApartTurn | None = None

    async def define(self, text: str) -> None:
        """Carry out one statement that is committed with what came before it, as each definition is."""
        await self._between("COMMIT", text)

    async def settle(self) -> None:
        """Commit, and go on under the same turn."""
        await self._between("COMMIT")

    async def reset(self) -> None:
        """Roll back to the last commit, and go on under the same turn."""
        await self._between("ROLLBACK")

    async def rollback(self) -> None:
        """Roll back; nothing happens when the transaction is already over. A server that does not answer is left."""
        try:
            await super().rollback()
        finally:
            self._give_up()

    async def _between(self, end: str, text: str = "") -> None:
        """End the transaction, do something outside of any, and open another one whatever happens."""
        if self._apart is None:
            raise Lost("the migration has no turn any more")
        await self._apart.keep()
        await self.run(end)
        try:
            if text:
                await self.run(text)
        finally:
            if self.is_open():
                await self._open_anew()

    async def _open_anew(self) -> None:
        if self._begins:
            await self.run(self._begins)

    async def _begin(self) -> None:
        if self._keeps_apart:
            self._apart = await self._turn.open_apart(self._lock_seconds)
            await self._open_anew()
        else:
            await self._turn.take(self._open, self._lock_seconds)

    async def _undo(self) -> None:
        try:
            await super()._undo()
        finally:
            self._give_up()

    async def _let_go(self, session: Session) -> None:
        """The turn went with its transaction, unless it was kept apart."""
        self._give_up()

    def _give_up(self) -> None:
        apart, self._apart = self._apart, None
        if apart is not None:
            apart.give_up()
