"""Whose turn it is to write to Spanner, which has no locks by name.

Whoever writes changes the row of its prefix in a table of turns. A migration is many transactions, with definitions
between them that belong to none: it writes the name of its session into that row, with a time until which it holds,
and each of its commits says again that it does. Whoever finds that session over, or that time, takes the name out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from octonet.dialects.engine.dbapi_driver import Failure
from octonet.dialects.engine.sessions import Session
from octonet.dialects.engine.spanner_errors import MEANINGS
from octonet.dialects.engine.spanner_server import Connection

TURNS: Final = "octonet_turns"
"""One table for all prefixes: it is nobody's, and stays."""
READY: Final = (
    f"SELECT (SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '' AND TABLE_NAME = '{TURNS}'),"
    " (SELECT MAX(OPTION_VALUE) FROM INFORMATION_SCHEMA.DATABASE_OPTIONS WHERE OPTION_NAME = 'database_dialect')"
)
_MADE: Final = (
    f"CREATE TABLE IF NOT EXISTS {TURNS} (prefix STRING(64) NOT NULL, turn INT64 NOT NULL,"
    " holder STRING(MAX) NOT NULL, until TIMESTAMP NOT NULL) PRIMARY KEY (prefix)"
)
TAKE: Final = (
    f"UPDATE {TURNS} SET turn = turn + 1, holder = '' WHERE prefix = @p1"
    " AND (holder = '' OR until < CURRENT_TIMESTAMP()) THEN RETURN turn"
)
RENEW_SECONDS: Final = 4.0
PAUSE: Final = 0.02
"""Seconds between two attempts."""
_LEASE_SECONDS: Final = 20
HOLD: Final = (
    f"UPDATE {TURNS} SET holder = @p2, until = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {_LEASE_SECONDS} SECOND)"
    " WHERE prefix = @p1 AND holder = @p3"
)
"""Takes the prefix, the holder to be, and who held it."""
_FIRST: Final = f"INSERT OR IGNORE INTO {TURNS} (prefix, turn, holder, until) VALUES (@p1, 0, '', CURRENT_TIMESTAMP())"
_HOLDER: Final = f"SELECT holder FROM {TURNS} WHERE prefix = @p1"


class Turn:
    """The turn of one session; one that is held goes on beyond the end of transactions. Raises what the driver does."""

    def __init__(self, session: Connection, prefix: str, *, held: bool) -> None:
        self._session = session
        self._prefix = prefix
        self._held = held
        self._renewed = 0.0
        self.number = 0
        """How many have been taken until this one."""

    async def take(self) -> bool:
        """Open a transaction with it, or, where it is held, none. False where another one has it."""
        try:
            rows = await self._session.rows(TAKE, (self._prefix,))
            if not rows and await self._freed():
                rows = await self._session.rows(TAKE, (self._prefix,))
            if rows and self._held:
                await self._session.run(HOLD, (self._prefix, self._session.name, ""))
                await self._session.run("COMMIT", ())
                self._renewed = _now()
        except Failure as failure:
            await self._not_taken(failure)
            return False
        if rows:
            self.number = int(str(rows[0][0]))
        else:
            await self._session.run("ROLLBACK", ())
        return bool(rows)

    async def keep(self) -> bool:
        """Whether it is held still; said again as a part of the transaction that is open, else now and then."""
        name = self._session.name
        if self._session.writes:
            touched = await self._session.run(HOLD, (self._prefix, name, name))
            self._renewed = _now()
            return touched == 1
        return _now() - self._renewed < RENEW_SECONDS or await self._alone(name)

    async def give_back(self) -> None:
        """Let the next one write. What is not held went with its transaction."""
        if self._held:
            await self._alone("")

    async def _freed(self) -> bool:
        """Whether it can be had after all: nobody ever had it, or whose session is over."""
        if await self._session.run(_FIRST, (self._prefix,)):
            return True
        holder = str((await self._session.rows(_HOLDER, (self._prefix,)))[0][0])
        if await self._session.lives(holder):
            return False
        return await self._session.run(HOLD, (self._prefix, "", holder)) == 1

    async def _not_taken(self, failure: Failure) -> None:
        """Another one was in the way, or the database was emptied; anything else is raised."""
        if failure.code not in MEANINGS.rolled_back | MEANINGS.not_made:
            raise failure
        await self._session.run("ROLLBACK", ())
        if failure.code in MEANINGS.not_made:
            await make(self._session)

    async def _alone(self, holder: str) -> bool:
        """Name the holder in a transaction of its own."""

        async def name() -> int:
            touched = await self._session.run(HOLD, (self._prefix, holder, self._session.name))
            await self._session.run("COMMIT", ())
            return touched

        touched = await _insisted(self._session, name)
        self._renewed = _now()
        return touched == 1


async def make(session: Session) -> None:
    """Make the table, where it is not there."""
    await _insisted(session, lambda: session.run(_MADE, ()))


async def _insisted(session: Session, work: Callable[[], Awaitable[int]]) -> int:
    """Do it, as often as another transaction is in the way."""
    deadline = _now() + _LEASE_SECONDS
    while True:
        try:
            return await work()
        except Failure as failure:
            if failure.code not in MEANINGS.rolled_back or _now() > deadline:
                raise
            await session.run("ROLLBACK", ())
            await asyncio.sleep(PAUSE)


def _now() -> float:
    return asyncio.get_running_loop().time()
