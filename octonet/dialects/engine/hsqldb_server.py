"""An HSQLDB server: its address, how to connect to it, and when to try again after it was away."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from octonet.dialects.engine import hsqldb_jvm
from octonet.dialects.engine.blocking import OwnThread
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.hsqldb_errors import (
    FAILURES,
    JavaFailure,
    is_rolled_back,
    is_taken,
    raise_meaning,
)
from octonet.dialects.engine.hsqldb_link import Link
from octonet.dialects.engine.knocking import Knocking
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Invalid, StorageUnavailable

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

_SCHEME: Final = "hsqldb"
_PORT: Final = 9001
_CONNECT_SECONDS: Final = 5
_JAVA_SECONDS: Final = 60
_GOODBYE_SECONDS: Final = 2.0
_OLDEST: Final = (2, 7)
_WRITE: Final = "hsqldb://user:password@host:9001/database"
_DATABASE: Final = re.compile(r"[\w.-]+")
"""A driver takes what follows a semicolon for settings."""


class Address(msgspec.Struct, frozen=True):
    """Where a database is, and who asks for it."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def shown(self) -> str:
        """Without the password."""
        return f"{_SCHEME}://{self.user}@{self.host}:{self.port}/{self.database}"

    @property
    def url(self) -> str:
        """As the driver is told."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"jdbc:hsqldb:hsql://{host}:{self.port}/{self.database}"


class Connection:
    """A link in a thread of its own. Implements `octonet.dialects.engine.sessions.Session`."""

    def __init__(self, link: Link, thread: OwnThread, number: int) -> None:
        self._link = link
        self._thread = thread
        self.thread = number

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return await self._done(lambda: self._link.rows(text, arguments))

    async def run(self, text: str, arguments: Sequence[Cell]) -> int:
        """Run a statement; the number of rows it touched, or found for an update."""
        return await self._done(lambda: self._link.run(text, arguments))

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement for each line of arguments; the number of rows touched in all. Where one fails, those before
        it may have been carried out."""
        return await self._done(lambda: self._link.many(text, lines))

    def is_closed(self) -> bool:
        """Whether it has ended, by whomever."""
        return self._link.closed

    def terminate(self) -> None:
        """Cut it."""
        try:
            self._link.cut()
        except JavaFailure as problem:
            _log.debug("a connection was cut already: %s", problem)
        self._thread.end()

    async def close(self) -> None:
        """Say goodbye."""
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._thread.run(self._link.close)
        except FAILURES as problem:
            _log.debug("a connection ended without a goodbye: %s", problem)
        self.terminate()

    async def _done(self, work: Callable[[], T]) -> T:
        if self._link.closed:
            raise JavaFailure("the connection is closed", "08003")
        try:
            return await self._thread.run(work)
        except asyncio.CancelledError:
            self.terminate()
            raise
        except JavaFailure:
            if self._link.closed:
                self._thread.end()
            raise


class Server:
    """Connects, and while the server is away lets nobody try more often than with growing pauses, at most a second.
    Implements `octonet.dialects.engine.sessions.Host`."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(self, uri: str, show_sql: bool) -> None:
        self._at = _parsed(uri)
        self.address = self._at.shown
        self._show_sql = show_sql
        self._knocking = Knocking()
        self.altered = 0
        """How often tables were altered, as far as is known."""

    async def connect(self, settings: Sequence[str], *, autocommit: bool = True, seconds: int = 0) -> Connection:
        """A new connection, for which these statements are run; the server works for at most `seconds`, unless 0, on
        each that comes later. Raises `StorageUnavailable` with a sentence that says what to do, and `Invalid`, code
        DRIVER_MISSING."""
        self._knocking.check()
        thread = OwnThread("octonet-hsqldb")
        try:
            async with asyncio.timeout(_JAVA_SECONDS):
                await thread.run(hsqldb_jvm.start)
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await self._connected(thread, settings, autocommit, seconds)
        except FAILURES as error:
            thread.end()
            raise self._knocking.refused(_reason(error, self._at)) from error
        except BaseException:
            thread.end()
            raise

    async def end(self, thread: int) -> None:
        """Have the server end a session of ours that does not answer; it may be over already."""
        try:
            connection = await self.connect(())
        except StorageUnavailable as away:
            _log.debug("nobody is there to end session %d: %s", thread, away)
            return
        for text in (f"ALTER SESSION {thread} END STATEMENT", f"ALTER SESSION {thread} CLOSE"):
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await connection.run(text, ())
            except FAILURES as error:
                _log.debug("session %d was not ended: %s", thread, error)
        await connection.close()

    def show(self, text: str) -> None:
        """Log a statement, if that is wanted."""
        if self._show_sql:
            _log.info("%s", text)

    def raise_meaning(
        self, error: BaseException, *, closed: bool, model: Model | None = None, statement: str = ""
    ) -> NoReturn:
        """See the protocol."""
        raise_meaning(error, self.address, closed=closed, model=model, statement=statement)

    def is_rolled_back(self, error: BaseException) -> bool:
        """See the protocol."""
        return is_rolled_back(error)

    def is_contended(self, error: BaseException) -> bool:
        """Whether another transaction did it just before, or is about to."""
        return is_rolled_back(error) or is_taken(error)

    async def _connected(
        self, thread: OwnThread, settings: Sequence[str], autocommit: bool, seconds: int
    ) -> Connection:
        at = self._at
        link = await thread.run(
            lambda: Link(
                at.url,
                at.user,
                at.password,
                autocommit=autocommit,
                seconds=seconds,
                altered=lambda: self.altered,
            )
        )
        self._knocking.opened()
        connection = Connection(link, thread, 0)
        try:
            self._check_version(await thread.run(link.version))
            for setting in settings:
                await connection.run(setting, ())
            connection.thread = int(str((await connection.rows("CALL SESSION_ID()", ()))[0][0]))
            if not autocommit:
                await thread.run(lambda: link.run("ROLLBACK", ()))
        except BaseException:
            connection.terminate()
            raise
        return connection

    def _check_version(self, told: str) -> None:
        found = re.match(r"(\d+)\.(\d+)", told)
        if found is None or (int(found[1]), int(found[2])) < _OLDEST:
            raise StorageUnavailable(
                f"{self.address} is HSQLDB {told}: {'.'.join(map(str, _OLDEST))} or later is needed"
            )


def _parsed(uri: str) -> Address:
    shown = re.sub(r"(//[^:@/]*):.*@", r"\1@", uri.partition("?")[0])
    try:
        parts = urlsplit(uri)
        port = parts.port or _PORT
    except ValueError as problem:
        raise Invalid(f"{shown!r} cannot be read: {problem}") from problem
    if parts.scheme != _SCHEME or not parts.hostname:
        raise Invalid(f"{shown!r} is no address of HSQLDB: write {_WRITE}")
    if parts.query:
        raise Invalid(f"{shown!r}: an address of HSQLDB has no parameters: write {_WRITE}")
    database = unquote(parts.path.strip("/"))
    if not _DATABASE.fullmatch(database) or not re.fullmatch(r"[\w.:%-]+", parts.hostname):
        raise Invalid(f"{shown!r} names no database: write {_WRITE}")
    user = unquote(parts.username or "SA")
    return Address(parts.hostname, port, user, unquote(parts.password or ""), database)


def _reason(error: BaseException, at: Address) -> str:
    state = error.state if isinstance(error, JavaFailure) else ""
    text = str(error) or type(error).__name__
    if state.startswith("28"):
        return f"{at.shown} refused the user or the password ({text}): check SGBD_URI and the server's users"
    if isinstance(error, TimeoutError):
        return f"{at.shown} did not answer within {_CONNECT_SECONDS} seconds: check host, port and firewall"
    if "database alias" in text or "does not exist" in text:
        return f"{at.shown}: {text}; name a database that the server has (its --dbname) in SGBD_URI"
    if state.startswith("08"):
        return f"nobody answers at {at.shown} ({text}): is HSQLDB running there, and does it listen?"
    return f"{at.shown} let nobody in: {text}"
