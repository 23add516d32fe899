"""The one session that writes through a DB-API driver, and the transaction on it."""

from __future__ import annotations

import hashlib
import math

from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.dbapi_link import Connection
from octonet.dialects.engine.dbapi_locks import NamedLock, Turns
from octonet.dialects.engine.dbapi_server import Server, check
from octonet.dialects.engine.dbapi_turns import Turn, TurnWriter
from octonet.dialects.engine.session_writer import SessionWriter, WritingSession
from octonet.dialects.engine.sessions import Session
from octonet.dialects.engine.tables import Model
from octonet.kernel.storage import DatabaseOptions


class DbapiWriting(WritingSession):
    """Checks the server, and finds out what the lock of those who share the prefix is called, or makes the table at
    which they take turns. `commits`: whether each definition is committed."""

    def __init__(self, server: Server, options: DatabaseOptions, *, commits: bool = False) -> None:
        super().__init__(server, lambda: server.connect(server.product.writing))
        self._server = server
        self._prefix = options.table_prefix
        self._commits = commits
        self._longest_read = 0 if server.product.at_once else math.ceil(options.query_timeout)

    async def writer(self, model: Model, *, migrating: bool) -> SessionWriter:
        """A write transaction, open."""
        lock = self._server.product.lock
        writer: SessionWriter
        if isinstance(lock, NamedLock):
            writer = DbapiWriter(self._server, lock, model, migrating=migrating)
        else:
            turn = Turn(self._server, lock.of(self._prefix), self._longest_read)
            writer = TurnWriter(self._server, turn, model, migrating=migrating, commits=self._commits)
        await self.begin(writer)
        return writer

    async def _introduced(self, session: Session) -> str:
        assert isinstance(session, Connection)
        await check(self._server, session)
        ((place,),) = await session.rows(self._server.product.place, ())
        await session.run("ROLLBACK", ())
        if isinstance(self._server.product.lock, Turns):
            await self._make(session, self._server.product.lock.of(self._prefix).make)
        return hashlib.sha256(f"{place!s}/{self._prefix}".encode()).hexdigest()[:40]

    async def _make(self, session: Session, text: str) -> None:
        self._host.show(text)
        try:
            await session.run(text, ())
        except Failure as failure:
            if failure.code not in self._server.product.meanings.already_so:
                raise


class DbapiWriter(SessionWriter):
    """The write transaction, for as long as it is open, under a lock of its session."""

    def __init__(self, server: Server, lock: NamedLock, model: Model, *, migrating: bool) -> None:
        super().__init__(server, model, migrating=migrating)
        self._begins = server.product.begin
        self._named = lock

    async def define(self, text: str) -> None:
        """Carry out one statement that is committed with what came before it, as each definition is."""
        await self.run("COMMIT")
        await self.run(text)

    async def _begin(self) -> None:
        ((given,),) = await self.rows(self._named.take(self._lock, self._lock_seconds), ())
        if not self._named.taken(int(str(given))):
            raise self._other()
        if self._begins:
            await self.run(self._begins)

    async def _let_go(self, session: Session) -> None:
        await session.rows(self._named.give_back(self._lock), ())
