"""PostgreSQL as a database without snapshots: each statement sees what was committed by then, and who reads takes turns
with who writes. Its driver here is one of Python's DB-API, over asyncpg, as that of such a database would be."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar, cast

import asyncpg
import msgspec

from octonet.dialects.engine.dbapi_driver import Cursor as DbapiCursor
from octonet.dialects.engine.dbapi_driver import Failure, Raw
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.dbapi_locks import TURN, Turns
from octonet.dialects.engine.dbapi_product import Address, Product
from octonet.dialects.engine.grammar import Cell
from octonet.dialects.engine.inventory import Listings
from octonet.dialects.engine.postgres_grammar import GRAMMAR as POSTGRES
from octonet.dialects.engine.postgres_grammar import LISTINGS as POSTGRES_LISTINGS

T = TypeVar("T")

Error = (asyncpg.PostgresError, asyncpg.InterfaceError)
GRAMMAR: Final = msgspec.structs.replace(POSTGRES, lines=None)
LISTINGS: Final = Listings(f"{POSTGRES_LISTINGS.columns} AND c.relname NOT LIKE '%{TURN}'", POSTGRES_LISTINGS.indexes)
_LATE, _THERE, _TAKEN = 1, 2, 3
_CODES: Final = {"55P03": _LATE, "42P07": _THERE, "23505": _TAKEN}


class Connection:
    """As a driver has it, with a loop of its own, which runs while a call does."""

    def __init__(self, at: Address) -> None:
        self._loop = asyncio.new_event_loop()
        try:
            self._asyncpg = self.done(asyncpg.connect(host=at.host, port=at.port, user=at.user, database=at.database))
        except BaseException:
            self._loop.close()
            raise

    def done(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for it."""
        return self._loop.run_until_complete(work)

    def cursor(self) -> Cursor:
        """For one statement."""
        return Cursor(self, self._asyncpg)

    def commit(self) -> None:
        """End the transaction."""
        self.done(self._asyncpg.execute("COMMIT"))

    def rollback(self) -> None:
        """Undo it."""
        self.done(self._asyncpg.execute("ROLLBACK"))

    def close(self) -> None:
        """Say goodbye, which one that was cut in this moment answers with an error."""
        if self._loop.is_closed():
            return
        try:
            self.done(self._asyncpg.close())
            self.done(asyncio.sleep(0))
        finally:
            self._loop.close()

    def limit(self, seconds: float) -> None:
        """How long a statement may take."""
        self.done(self._asyncpg.execute(f"SET statement_timeout = {math.ceil(seconds * 1000)}"))

    def cut(self) -> None:
        """From another thread, end what runs; what does not is closed later."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._asyncpg.terminate)


class Cursor:
    """One statement under way."""

    rowcount = -1

    def __init__(self, connection: Connection, driver: Any) -> None:
        self._connection = connection
        self._asyncpg = driver
        self._rows: list[tuple[object, ...]] = []

    def setinputsizes(self, *kinds: object) -> None:
        """The server knows."""

    def execute(self, text: str, arguments: Sequence[object]) -> None:
        """Run a statement."""

        async def run() -> None:
            statement = await self._asyncpg.prepare(text)
            self._rows = [tuple(row) for row in await statement.fetch(*arguments)]
            found = re.search(r"\d+$", statement.get_statusmsg())
            self.rowcount = int(found[0]) if found else -1

        self._connection.done(run())

    def executemany(self, text: str, lines: Sequence[Sequence[object]]) -> None:
        """Run a statement for each line."""
        self._connection.done(self._asyncpg.executemany(text, lines))

    def fetchall(self) -> list[tuple[object, ...]]:
        """All rows of the answer."""
        return self._rows

    def close(self) -> None:
        """Forget the answer."""


def _told(error: Exception) -> Failure:
    state = str(getattr(error, "sqlstate", "") or "")
    return Failure(str(error), _CODES.get(state, 0), state)


def _nothing(*_: object) -> None:
    return None


_NONE: Final[frozenset[int]] = frozenset()
_PATIENT: Final = "SET LOCAL lock_timeout = '{seconds}s'"

PRODUCT: Final = Product(
    name="PostgreSQL",
    dialect="postgresql",
    port=5432,
    module=__name__,
    options=(),
    connect=lambda driver, at, within: cast("Raw", driver.Connection(at)),
    limit=lambda raw, seconds: cast("Connection", raw).limit(seconds),
    cancel=lambda raw, cursor: cast("Connection", raw).cut(),
    told=_told,
    bound=lambda arguments: arguments,
    sized=_nothing,
    read=lambda value: cast("Cell", value),
    counts_many=False,
    version="SHOW server_version",
    oldest=(11,),
    checks=(),
    reading=(),
    writing=(),
    begin="BEGIN",
    snapshot="BEGIN",
    place="SELECT current_database()",
    lock=Turns(
        make='CREATE TABLE "{name}" (turn INTEGER)',
        share=(_PATIENT, 'LOCK TABLE "{name}" IN SHARE MODE'),
        own=(_PATIENT, 'LOCK TABLE "{name}" IN EXCLUSIVE MODE'),
        kept=frozenset({_LATE}),
    ),
    words=lambda text: text,
    meanings=Meanings(
        taken=_NONE,
        missing=_NONE,
        too_long=_NONE,
        no_index=_NONE,
        late=_NONE,
        gone=_NONE,
        away=frozenset({_LATE}),
        rights=_NONE,
        not_made=_NONE,
        rolled_back=_NONE,
        already_so=frozenset({_THERE, _TAKEN}),
        too_large=_NONE,
        pattern=_NONE,
        key=re.compile(r"$^"),
        column=re.compile(r"$^"),
        table=re.compile(r"$^"),
        gone_states=("08", "57P01"),
    ),
    reason=lambda failure: "",
)


LOCKS_HERE: Final = (
    "pg_locks WHERE locktype = 'relation'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def waits(uri: str, *, for_writing: bool) -> None:
    """Until somebody in the database waits for the turn."""
    await _found(uri, "ExclusiveLock" if for_writing else "ShareLock", granted=False)


async def reads(uri: str) -> None:
    """Until somebody in the database has the turn to read."""
    await _found(uri, "ShareLock", granted=True)


async def _found(uri: str, mode: str, *, granted: bool) -> None:
    connection = await asyncpg.connect(uri)
    try:
        while not await connection.fetchval(
            f"SELECT COUNT(*) FROM {LOCKS_HERE} AND mode = $1 AND granted = $2", mode, granted
        ):
            await asyncio.sleep(0.01)
    finally:
        await connection.close()


_: type[DbapiCursor] = Cursor
