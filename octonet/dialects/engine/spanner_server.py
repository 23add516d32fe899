"""A Spanner database: its sessions, and when to try again after it did not answer. Everything that is sent to it goes
through two channels, whose calls are asynchronous: there are no threads, and a call that is given up is ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NoReturn, TypeVar

from octonet.dialects.engine import spanner_errors as errors
from octonet.dialects.engine.dbapi_driver import FAILURES, Failure
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.journal_steps import BETWEEN, DEFINES
from octonet.dialects.engine.knocking import Knocking
from octonet.dialects.engine.packets import columns, packets
from octonet.dialects.engine.spanner_address import parsed
from octonet.dialects.engine.spanner_calls import NEW, Calls, Library, emulated
from octonet.dialects.engine.spanner_names import told
from octonet.dialects.engine.tables import Model

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

LOOK: Final = "LOOK"
"""No statement: a transaction that looks at one moment."""
_CATALOGUE: Final = "INFORMATION_SCHEMA"
_CONNECT_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 2.0
_LINES: Final = 1000
_LOOKED_UP: Final = 100
"""Lines of a statement in which each row looks for its own."""
_LETTERS: Final = 2_000_000


class Connection:
    """One session. Implements `octonet.dialects.engine.sessions.Session`; `seconds`, unless 0, is how long it waits for
    a query."""

    thread = 0

    def __init__(self, server: Server, calls: Calls, name: str, seconds: float) -> None:
        self._server = server
        self._calls = calls
        self.name = name
        self._seconds = seconds
        self._transaction: bytes | None = None
        self._writes = False
        """Whether that transaction does."""
        self._opening = False
        """Whether a statement is under way, or was given up, that opens one whose name is not known yet. The emulator
        does not survive the end of a session with a transaction that is open."""
        self._number = 0
        self._under_way: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def writes(self) -> bool:
        """Whether a transaction that writes is open."""
        return self._transaction is not None and self._writes

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer. What the catalogue tells is told as it is now, and names as they are called here."""
        if not text.startswith("SELECT"):
            return (await self._done(self._change(text, arguments)))[0]
        of = None if _CATALOGUE in text else self._transaction
        found = await self._done(self._calls.query(self.name, of, text, arguments, self._seconds))
        if _CATALOGUE in text:
            return [tuple([told(cell) if isinstance(cell, str) else cell for cell in row]) for row in found]
        return found

    async def run(self, text: str, arguments: Sequence[Cell]) -> int:
        """Run a statement; the number of rows it touched."""
        if text == LOOK:
            self._transaction, self._writes = await self._done(self._calls.look(self.name)), False
        elif text in ("COMMIT", "ROLLBACK"):
            await self._ended(text)
        elif DEFINES.match(text):
            await self._done(self._calls.define(text.split(BETWEEN)))
        else:
            return (await self._done(self._change(text, arguments)))[1]
        return 0

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement that takes a list for each column of the lines."""
        touched = 0
        most = _LINES if text.startswith("INSERT") else _LOOKED_UP
        for some in packets(lines, most, _LETTERS):
            touched += await self.run(text, columns(some))
        return touched

    async def lives(self, session: str) -> bool:
        """Whether another session is not over."""
        return await self._done(self._calls.lives(session))

    def is_closed(self) -> bool:
        """Whether it has ended, by whomever."""
        return self._closed

    def terminate(self) -> None:
        """Cut it."""
        for task in self._under_way:
            task.cancel()
        if not self._closed:
            self._closed = True
            if not self._opening:
                self._server.leave(self._left(self._transaction if self._writes else None))

    async def close(self) -> None:
        """Say goodbye."""
        self.terminate()

    async def _left(self, transaction: bytes | None) -> None:
        if transaction is not None:
            await self._calls.rollback(self.name, transaction)
        await self._calls.leave(self.name)

    async def _ended(self, text: str) -> None:
        transaction, writes = self._transaction, self._writes
        self._transaction, self._number = None, 0
        if transaction is not None and writes:
            end = self._calls.commit if text == "COMMIT" else self._calls.rollback
            await self._done(end(self.name, transaction))

    async def _change(self, text: str, arguments: Sequence[Cell]) -> tuple[list[Cells], int]:
        self._number += 1
        of = NEW if self._transaction is None else self._transaction
        self._opening = of == NEW
        answer = await self._calls.change(self.name, of, text, arguments, self._number)
        self._transaction, self._writes, self._opening = answer.transaction, True, False
        return answer.rows, answer.touched

    async def _done(self, work: Coroutine[Any, Any, T]) -> T:
        """Who is cancelled ends the call, and the session with it: nobody knows what it would answer next."""
        if self._closed:
            work.close()
            raise Failure("the session is closed", errors.GONE)
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            self.terminate()
            raise
        finally:
            self._under_way.discard(task)
        if task.cancelled():
            raise Failure("the session was closed", errors.GONE)
        self._opening = False
        problem = task.exception()
        if isinstance(problem, Failure) and problem.code in (errors.GONE, errors.UNAVAILABLE):
            self.terminate()
        result: T = task.result()
        return result


class Server:
    """Connects, and while the database does not answer lets nobody try more often than with growing pauses, at most a
    second. Implements `octonet.dialects.engine.sessions.Host`."""

    failures: tuple[type[Exception], ...] = FAILURES

    def __init__(self, uri: str, show_sql: bool) -> None:
        self.at = parsed(uri)
        self.address = self.at.shown
        self._show_sql = show_sql
        self._knocking = Knocking()
        self._calls: Calls | None = None
        self._opening = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def connect(self, *, seconds: float = 0.0) -> Connection:
        """A new session; it waits for at most `seconds`, unless 0, for a query. Raises `StorageUnavailable` with a
        sentence that says what to do, and `Invalid`, code DRIVER_MISSING."""
        self._knocking.check()
        try:
            calls = await self._opened()
            async with asyncio.timeout(_CONNECT_SECONDS):
                name = await calls.open(_CONNECT_SECONDS)
        except FAILURES as error:
            raise self._knocking.refused(self._reason(error)) from error
        self._knocking.opened()
        return Connection(self, calls, name, seconds)

    async def end(self, thread: int) -> None:
        """A call that was given up is ended already."""

    def leave(self, goodbye: Coroutine[Any, Any, None]) -> None:
        """End a session behind whoever has no more use for it."""
        task = asyncio.get_running_loop().create_task(_tried(goodbye))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def show(self, text: str) -> None:
        """Log a statement, if that is wanted."""
        if self._show_sql:
            _log.info("%s", text)

    def raise_meaning(
        self, error: BaseException, *, closed: bool, model: Model | None = None, statement: str = ""
    ) -> NoReturn:
        """See the protocol."""
        errors.raise_meaning(error, self.address, closed=closed, model=model, statement=statement)

    def is_rolled_back(self, error: BaseException) -> bool:
        """See the protocol."""
        return isinstance(error, Failure) and error.code in errors.MEANINGS.rolled_back

    async def close(self) -> None:
        """Wait until every session is told to end, and close the channels."""
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=_GOODBYE_SECONDS)
        calls, self._calls = self._calls, None
        if calls is not None:
            await calls.close()

    async def _opened(self) -> Calls:
        async with self._opening:
            if self._calls is None:
                # Reading a library, and finding credentials, takes its time.
                library = await asyncio.to_thread(Library)
                credentials = None if emulated() else await asyncio.to_thread(library.credentials, self.at)
                self._calls = Calls(library, self.at, credentials)
            return self._calls

    def _reason(self, error: BaseException) -> str:
        shown, text = self.address, str(error) or type(error).__name__
        code = error.code if isinstance(error, Failure) else errors.DEADLINE_EXCEEDED
        if code == errors.UNKNOWN_PLACE:
            return f"{shown}: {text}; make it (gcloud spanner databases create), or name another one in SGBD_URI"
        if code in (errors.UNAUTHENTICATED, errors.PERMISSION_DENIED):
            return (
                f"{shown} let nobody in ({text}): check GOOGLE_APPLICATION_CREDENTIALS, or ?credentials= of SGBD_URI,"
                " and grant roles/spanner.databaseUser"
            )
        if code in (errors.UNAVAILABLE, errors.DEADLINE_EXCEEDED):
            return f"nobody answers at {shown} ({text}): check the network, or SPANNER_EMULATOR_HOST"
        return f"{shown} let nobody in: {text}"


async def _tried(goodbye: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await goodbye
    except FAILURES as problem:
        _log.debug("a session ended without a goodbye: %s", problem)
