"""A server that is reached through a DB-API driver: its address, how to connect to it, and when to try again."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from octonet.dialects.engine import dbapi_errors
from octonet.dialects.engine.blocking import OwnThread
from octonet.dialects.engine.dbapi_driver import FAILURES, Failure, load
from octonet.dialects.engine.dbapi_link import Connection, Link
from octonet.dialects.engine.dbapi_locks import Turns
from octonet.dialects.engine.dbapi_product import Product, parsed
from octonet.dialects.engine.knocking import Knocking
from octonet.dialects.engine.session_held import HeldSession, SessionSnapshot
from octonet.dialects.engine.sessions import MIGRATION_LOCK_SECONDS
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import StorageUnavailable
from octonet.kernel.storage import DatabaseOptions

_log = logging.getLogger("octonet.sql")

_CONNECT_SECONDS: Final = 5.0
_TOLD_BY: Final = 1.0
"""Seconds behind that, in which a driver may tell what was the matter; Db2's tries for five whatever it is told."""
_LOAD_SECONDS: Final = 60.0


class Server:
    """Connects, and while the server is away lets nobody try more often than with growing pauses, at most a second.
    Implements `octonet.dialects.engine.sessions.Host`."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(self, uri: str, show_sql: bool, product: Product, written: str) -> None:
        self.product = product
        self._at = parsed(uri, product, written)
        self.address = self._at.shown
        self._show_sql = show_sql
        self._knocking = Knocking()
        self._driver: Any = None

    async def connect(self, settings: Sequence[str], *, seconds: float = 0.0) -> Connection:
        """A new connection, for which these statements are run; the server works for at most `seconds`, unless 0, on
        each. Raises `StorageUnavailable` with a sentence that says what to do, and `Invalid`, code DRIVER_MISSING."""
        self._knocking.check()
        thread = OwnThread(f"octonet-{self.product.dialect}")
        try:
            if self._driver is None:
                async with asyncio.timeout(_LOAD_SECONDS):
                    self._driver = await thread.run(lambda: load(self.product.module, self.product.dialect))
            async with asyncio.timeout(_CONNECT_SECONDS + _TOLD_BY):
                connection = await self._connected(thread, settings, seconds)
        except FAILURES as error:
            thread.end()
            raise self._knocking.refused(self._reason(error)) from error
        except BaseException:
            thread.end()
            raise
        self._knocking.opened()
        return connection

    async def end(self, thread: int) -> None:
        """The driver did it already, or the connection is left to itself."""

    def show(self, text: str) -> None:
        """Log a statement, if that is wanted."""
        if self._show_sql:
            _log.info("%s", text)

    def raise_meaning(
        self, error: BaseException, *, closed: bool, model: Model | None = None, statement: str = ""
    ) -> NoReturn:
        """See the protocol."""
        meanings = self.product.meanings
        dbapi_errors.raise_meaning(meanings, error, self.address, closed=closed, model=model, statement=statement)

    def is_rolled_back(self, error: BaseException) -> bool:
        """See the protocol."""
        return isinstance(error, Failure) and error.code in self.product.meanings.rolled_back

    async def _connected(self, thread: OwnThread, settings: Sequence[str], seconds: float) -> Connection:
        product, at, driver = self.product, self._at, self._driver
        link = await thread.run(lambda: Link(product, driver, at, _CONNECT_SECONDS, seconds))
        connection = Connection(link, thread, product.words)
        try:
            for setting in settings:
                await connection.run(setting, ())
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _reason(self, error: BaseException) -> str:
        shown, text = self.address, str(error) or type(error).__name__
        if isinstance(error, TimeoutError):
            return f"{shown} did not answer within {_CONNECT_SECONDS:g} seconds: check host, port and firewall"
        advice = self.product.reason(error) if isinstance(error, Failure) else ""
        if advice:
            return f"{shown} let nobody in ({text}): {advice}"
        return f"nobody answers at {shown} ({text}): is {self.product.name} running there, and does it listen?"


async def check(server: Server, connection: Connection) -> None:
    """Whether it is a server that can be worked with. Raises `StorageUnavailable` with what to do if not."""
    product = server.product
    ((version,),) = await connection.rows(product.version, ())
    found = re.search(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", str(version))
    if found is None or tuple(int(part or 0) for part in found.groups()) < product.oldest:
        connection.terminate()
        oldest = ".".join(map(str, product.oldest))
        raise StorageUnavailable(f"{server.address} is {version!s}: {product.name} {oldest} or later is needed")
    for query, wanted, advice in product.checks:
        ((value,),) = await connection.rows(query, ())
        if not re.fullmatch(wanted, str(value)):
            connection.terminate()
            raise StorageUnavailable(f"{server.address} cannot be used as it is ({value!s}): {advice}")


class Held(HeldSession):
    """No statement takes longer than `timeout` seconds; the driver ends it a second later."""

    def __init__(self, server: Server, options: DatabaseOptions) -> None:
        seconds = options.query_timeout + 1
        opening = _opening(server.product, options.table_prefix, math.ceil(seconds))
        super().__init__(server, lambda: server.connect(server.product.reading, seconds=seconds), *opening)


async def open_snapshot(server: Server, prefix: str) -> SessionSnapshot:
    """Connect, and look: the snapshot begins with its first statement."""
    connection = await server.connect(server.product.reading)
    snapshot = SessionSnapshot(server, connection)
    try:
        for text in _opening(server.product, prefix, MIGRATION_LOCK_SECONDS):
            await snapshot.run(text)
        await snapshot.rows(server.product.place, ())
    except BaseException:
        await snapshot.close()
        raise
    return snapshot


def _opening(product: Product, prefix: str, seconds: int) -> list[str]:
    """The statements that open a snapshot, or take the turn of those who read."""
    lock = product.lock
    turn = lock.of(prefix).sharing(seconds) if isinstance(lock, Turns) else ()
    return [text for text in (product.snapshot, *turn) if text]
