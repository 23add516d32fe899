"""The one session that writes through a DB-API driver, and the transaction on it."""

from __future__ import annotations

import hashlib

from octonet.dialects.engine.dbapi_link import Connection
from octonet.dialects.engine.dbapi_server import Server, check
from octonet.dialects.engine.session_writer import SessionWriter, WritingSession
from octonet.dialects.engine.sessions import Session
from octonet.dialects.engine.tables import Model


class DbapiWriting(WritingSession):
    """Checks the server, and finds out what the lock of those who share the prefix is called."""

    def __init__(self, server: Server, prefix: str) -> None:
        super().__init__(server, lambda: server.connect(server.product.writing))
        self._server = server
        self._prefix = prefix

    async def _introduced(self, session: Session) -> str:
        assert isinstance(session, Connection)
        await check(self._server, session)
        ((place,),) = await session.rows(self._server.product.place, ())
        await session.run("ROLLBACK", ())
        return hashlib.sha256(f"{place!s}/{self._prefix}".encode()).hexdigest()[:40]


class DbapiWriter(SessionWriter):
    """The write transaction, for as long as it is open, under a lock of its session."""

    def __init__(self, server: Server, model: Model, *, migrating: bool) -> None:
        super().__init__(server, model, migrating=migrating)
        self._product = server.product

    async def define(self, text: str) -> None:
        """Carry out one statement that is committed with what came before it, as each definition is."""
        await self.run("COMMIT")
        await self.run(text)

    async def _begin(self) -> None:
        ((given,),) = await self.rows(self._product.lock(self._lock, self._lock_seconds), ())
        if not self._product.taken(int(str(given))):
            raise self._other()
        if self._product.begin:
            await self.run(self._product.begin)

    async def _let_go(self, session: Session) -> None:
        await session.rows(self._product.unlock(self._lock), ())
