"""SQLite on the event loop's own thread: the writer, and reads that are over before anybody notices."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.pool import Pool
from octonet.dialects.engine.reading import Work
from octonet.dialects.engine.sqlite_errors import primary_code, raise_meaning
from octonet.dialects.engine.tables import Model

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

_STEPS: Final = 10_000
"""Instructions of SQLite's machine between two looks at the budget: some hundred microseconds."""
_LOOKS: Final = 5
"""Looks after which a read that was expected to be short is given to a thread."""


_AVOIDED: Final = 5.0
"""Seconds for which SQL that passed the budget goes to a thread at once."""
_MOST_PASSED: Final = 256


class _OverBudget(Exception):
    """The read is longer than was expected."""


class InlineReads:
    """Short reads on one connection of their own; what turns out to be long is begun anew in the pool.

    The reads of one turn of the event loop share a snapshot: taking the file's lock and giving it back would be half
    the cost of a read by id. Nobody outside is answered within the turn, and a commit of this process ends the
    snapshot (`renew`), so no caller can know of anything newer. What several ask for within it, word for word, as they
    do for a page that everybody looks at, is read once.
    """

    at_once = True

    def __init__(self, connection: sqlite3.Connection, pool: Pool, path: str, show_sql: bool) -> None:
        self._connection = connection
        self._pool = pool
        self._path = path
        self._show_sql = show_sql
        self._looks = 0
        self._passed: dict[str, float] = {}
        """SQL that passed the budget → until when it is not tried in place again."""
        self._read: dict[tuple[str, tuple[Cell, ...]], list[Cells]] = {}
        """What was read in this snapshot."""
        self._loop = asyncio.get_running_loop()
        connection.set_progress_handler(self._look, _STEPS)

    async def one(self, text: str, arguments: Sequence[Cell]) -> Cells | None:
        """The first row of an answer that is found at once."""
        self._looks = 0
        try:
            rows = self._asked(text, arguments)
        except _OverBudget:
            rows = await self._pool.run(lambda reader: reader.rows(text, arguments), snapshot=False)
        return rows[0] if rows else None

    async def short(self, work: Work[T], *, snapshot: bool) -> T:
        """Do some reading in place, or in the pool when it passes the budget."""
        self._looks = 0
        try:
            return await work(self)
        except _OverBudget:
            return await self._pool.run(work, snapshot=snapshot)

    async def perhaps(self, work: Work[T], text: str, *, snapshot: bool) -> T:
        """Do some reading in place, unless the same SQL passed the budget a moment ago."""
        now = self._loop.time()
        if self._passed.get(text, 0.0) > now:
            return await self._pool.run(work, snapshot=snapshot)
        self._looks = 0
        try:
            return await work(self)
        except _OverBudget:
            if len(self._passed) >= _MOST_PASSED:
                del self._passed[next(iter(self._passed))]
            self._passed[text] = now + _AVOIDED
            return await self._pool.run(work, snapshot=snapshot)

    async def long(self, work: Work[T], *, snapshot: bool) -> T:
        """Do some reading in the pool."""
        return await self._pool.run(work, snapshot=snapshot)

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        key = text, tuple(arguments)
        found = self._read.get(key)
        if found is None:
            found = self._read[key] = self._asked(text, arguments)
        return found.copy()

    def _asked(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        if self._show_sql:
            _log.info("%s", text)
        try:
            if not self._connection.in_transaction:
                self._read.clear()
                self._connection.execute("BEGIN")
                self._loop.call_soon(self.renew)
            return self._connection.execute(text, arguments).fetchall()
        except sqlite3.Error as error:
            if primary_code(error) == sqlite3.SQLITE_INTERRUPT:
                raise _OverBudget from error
            raise_meaning(error, self._path)

    def renew(self) -> None:
        """The next read sees everything that is committed by then."""
        self._read.clear()
        try:
            self._connection.rollback()
        except sqlite3.ProgrammingError as closed:
            _log.debug("the snapshot ended with its connection: %s", closed)

    def _look(self) -> int:
        self._looks += 1
        return self._looks > _LOOKS


class InlineWriter:
    """The connection with the write transaction, for as long as it is open."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        begin: Callable[[], Awaitable[None]],
        reads: InlineReads,
        model: Model,
        path: str,
        show_sql: bool,
    ) -> None:
        self._connection = connection
        self._begin = begin
        self._reads = reads
        self._model = model
        self._path = path
        self._show_sql = show_sql

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return self._execute(text, arguments).fetchall()

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """Run a statement; the number of rows it touched."""
        return self._execute(text, arguments).rowcount

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement once for each line of arguments; the number of rows touched in all."""
        self._show(text)
        try:
            return self._connection.executemany(text, lines).rowcount
        except sqlite3.Error as error:
            raise_meaning(error, self._path, self._model)

    async def commit(self) -> None:
        """Commit, or, when that fails, roll back and raise."""
        try:
            self._execute("COMMIT", ())
        finally:
            await self.rollback()
            self._reads.renew()

    async def rollback(self) -> None:
        """Roll back; nothing happens when the transaction is already over."""
        # Some errors, a full disk among them, make SQLite roll back by itself.
        try:
            if self._connection.in_transaction:
                self._execute("ROLLBACK", ())
        except sqlite3.ProgrammingError as closed:
            _log.debug("nothing to roll back: %s", closed)

    async def restart(self) -> None:
        """Undo everything, and begin anew. Raises as a begin does."""
        await self.rollback()
        await self._begin()

    def _execute(self, text: str, arguments: Sequence[Cell]) -> sqlite3.Cursor:
        self._show(text)
        try:
            return self._connection.execute(text, arguments)
        except sqlite3.Error as error:
            raise_meaning(error, self._path, self._model)

    def _show(self, text: str) -> None:
        if self._show_sql:
            _log.info("%s", text)
