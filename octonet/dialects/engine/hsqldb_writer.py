"""The one connection that writes to HSQLDB, and the transaction on it.

HSQLDB has no locks by a name, and a row that another transaction has changed is waited for without an end. Whose turn
it is stands in a row, which a transaction that reads one moment changes first: while another has changed it, that is
refused at once, and tried again. A migration, whose definitions end transactions, commits its name into the row
instead; the name of a session that is over means nothing.
"""

from __future__ import annotations

import asyncio
from typing import Final

from octonet.dialects.engine.hsqldb_ddl import COLLATION
from octonet.dialects.engine.hsqldb_errors import is_done_before
from octonet.dialects.engine.hsqldb_server import Server
from octonet.dialects.engine.session_writer import SessionWriter, WritingSession
from octonet.dialects.engine.sessions import MIGRATION_LOCK_SECONDS, Session
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import StorageUnavailable

_PAUSE: Final = 0.02
"""Seconds between two looks at whose turn it is."""
_SETTINGS: Final = ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, ISOLATION LEVEL REPEATABLE READ",)
_SESSION: Final = "CAST(SESSION_ID AS VARCHAR(20)) || '/' || CAST(CONNECTED AS VARCHAR(60))"
"""One that no other session of the database ever has."""
_SESSIONS: Final = "INFORMATION_SCHEMA.SYSTEM_SESSIONS"
_MINE: Final = f"SELECT IS_ADMIN, {_SESSION}, TRANSACTION_CONTROL() FROM {_SESSIONS} WHERE SESSION_ID = SESSION_ID()"
_READY: Final = (
    "SELECT (SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'OCTONET' AND TABLE_NAME = 'TURNS'),"
    " (SELECT COUNT(*) FROM INFORMATION_SCHEMA.COLLATIONS WHERE COLLATION_SCHEMA = CURRENT_SCHEMA"
    f" AND COLLATION_NAME = '{COLLATION}') FROM (VALUES(0))"
)
_MADE: Final = (
    "CREATE SCHEMA OCTONET AUTHORIZATION DBA",
    "CREATE TABLE OCTONET.TURNS"
    " (NAME VARCHAR(400) PRIMARY KEY, TAKEN BIGINT DEFAULT 0 NOT NULL, ALTERED BIGINT DEFAULT 0 NOT NULL,"
    " HOLDER VARCHAR(100) DEFAULT '' NOT NULL)",
    f'CREATE COLLATION "{COLLATION}" FOR INFORMATION_SCHEMA.SQL_TEXT FROM SQL_TEXT NO PAD',
)
_NAME: Final = "CURRENT_SCHEMA || '/' || CAST(? AS VARCHAR(200))"
_TAKE: Final = f"UPDATE OCTONET.TURNS SET TAKEN = TAKEN + 1 WHERE NAME = {_NAME} AND ALTERED = ? AND HOLDER = ''"
_HOLD: Final = f"UPDATE OCTONET.TURNS SET ALTERED = ?, HOLDER = ? WHERE NAME = {_NAME} AND ALTERED = ? AND HOLDER = ?"
"""Takes how often tables were altered by then, the holder to be, the prefix, how often before, and who held it."""
_FIRST: Final = f"INSERT INTO OCTONET.TURNS (NAME) VALUES ({_NAME})"
_STANDS: Final = f"SELECT ALTERED, HOLDER FROM OCTONET.TURNS WHERE NAME = {_NAME}"
_LIVES: Final = f"SELECT COUNT(*) FROM {_SESSIONS} WHERE {_SESSION} = ?"


class WritingConnection(WritingSession):
    """Finds the database ready for more than one process, or makes it so."""

    def __init__(self, server: Server) -> None:
        super().__init__(server, lambda: server.connect(_SETTINGS, autocommit=False))

    async def _introduced(self, session: Session) -> str:
        try:
            async with asyncio.timeout(MIGRATION_LOCK_SECONDS):
                return await self._made_ready(session)
        except TimeoutError:
            session.terminate()
            raise StorageUnavailable(
                f"{self._host.address} could not be made ready: somebody keeps a transaction open in it"
            ) from None

    async def _made_ready(self, session: Session) -> str:
        ((admin, mine, control),) = await session.rows(_MINE, ())
        ready = (await session.rows(_READY, ()))[0]
        await session.run("ROLLBACK", ())
        if not admin:
            session.terminate()
            raise StorageUnavailable(
                f"the user of {self._host.address} sees no sessions but its own, and could not tell whose turn it is to"
                " write: GRANT DBA to it"
            )
        if control != "MVCC":
            await session.run("SET DATABASE TRANSACTION CONTROL MVCC", ())
        if ready != (1, 1):
            for text in _MADE:
                await self._make(session, text)
        return str(mine)

    async def _make(self, session: Session, text: str) -> None:
        try:
            await session.run(text, ())
        except self._host.failures as problem:
            if not is_done_before(problem):
                raise


class HsqldbWriter(SessionWriter):
    """The write transaction, for as long as it is open. `_lock` is the name of its session."""

    def __init__(self, server: Server, model: Model, prefix: str, *, migrating: bool) -> None:
        super().__init__(server, model, migrating=migrating)
        self._server = server
        self._prefix = prefix
        self._migrating = migrating

    async def _begin(self) -> None:
        deadline = asyncio.get_running_loop().time() + self._lock_seconds
        while not await self._take():
            if asyncio.get_running_loop().time() > deadline:
                raise self._other()
            await asyncio.sleep(_PAUSE)

    async def _take(self) -> bool:
        """Whether it is ours."""
        if await self._try(_TAKE, self._prefix, self._server.altered):
            return not self._migrating or await self._hold_on()
        rows = await self.rows(_STANDS, (self._prefix,))
        if not rows:
            await self._try(_FIRST, self._prefix)
        else:
            self._server.altered, holder = int(str(rows[0][0])), str(rows[0][1])
            if holder and not (await self.rows(_LIVES, (holder,)))[0][0]:
                await self._hold(holder, "")
        await self.run("COMMIT")
        return False

    async def _hold_on(self) -> bool:
        """The same beyond the end of transactions."""
        if not await self._hold("", self._lock):
            return False
        await self.run("COMMIT")
        self._server.altered += 1
        return True

    async def _hold(self, before: str, after: str) -> bool:
        """Name another holder, who alters tables or has altered them, in this transaction."""
        altered = self._server.altered
        return await self._try(_HOLD, altered + 1, after, self._prefix, altered, before) == 1

    async def _try(self, text: str, *arguments: str | int) -> int:
        """Do something that another one may have done just before; then nothing was done, which is 0."""
        self._host.show(text)
        try:
            async with asyncio.timeout(self._lock_seconds):
                return await self._open.run(text, arguments)
        except self._host.failures as error:
            if not self._server.is_contended(error):
                self._raise(error, text)
        await self.run("ROLLBACK")
        return 0

    async def _let_go(self, session: Session) -> None:
        """What is not of a migration went with the transaction."""
        if self._migrating:
            altered = self._server.altered
            if await session.run(_HOLD, (altered + 1, "", self._prefix, altered, self._lock)):
                self._server.altered += 1
            await session.run("COMMIT", ())
