"""The one connection that writes to MariaDB, and the transaction on it."""

from __future__ import annotations

import hashlib

from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.session_writer import SessionWriter, WritingSession
from octonet.dialects.engine.sessions import Session


class WritingConnection(WritingSession):
    """The lock is one of the server's, by a name."""

    def __init__(self, server: Server, prefix: str) -> None:
        super().__init__(server, lambda: server.connect(server.product.writing, autocommit=False))
        self._prefix = prefix

    async def _introduced(self, session: Session) -> str:
        ((database,),) = await session.rows("SELECT DATABASE()", ())
        digest = hashlib.sha256(f"{database!s}/{self._prefix}".encode()).hexdigest()
        return f"octonet/{digest[:40]}"


class MariadbWriter(SessionWriter):
    """The write transaction, for as long as it is open."""

    async def _begin(self) -> None:
        await self._done("START TRANSACTION", self._open.run("START TRANSACTION", ()))
        arguments = (self._lock, self._lock_seconds)
        ((given,),) = await self._done("GET_LOCK", self._open.rows("SELECT GET_LOCK(?, ?)", arguments))
        if given != 1:
            raise self._other()

    async def _let_go(self, session: Session) -> None:
        await session.rows("SELECT RELEASE_LOCK(?)", (self._lock,))
