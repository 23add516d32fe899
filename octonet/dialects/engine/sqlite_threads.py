"""SQLite in threads: connections of the pool for reads of any length."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Sequence
from typing import Final, TypeVar, cast

import aiosqlite

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.sqlite_errors import primary_code, raise_meaning

_log = logging.getLogger("octonet.sql")

_PRAGMAS: Final = ("PRAGMA cache_size=-4096", "PRAGMA query_only=ON")
_BUSY_SECONDS: Final = 5.0

R = TypeVar("R", bound="ThreadReader")


class ThreadReader:
    """One connection in a thread of its own."""

    def __init__(self, connection: aiosqlite.Connection, path: str, show_sql: bool) -> None:
        self._connection = connection
        self._path = path
        self._show_sql = show_sql

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        if self._show_sql:
            _log.info("%s", text)
        try:
            return cast("list[Cells]", await self._connection.execute_fetchall(text, arguments))
        except sqlite3.Error as error:
            raise_meaning(error, self._path)

    async def begin(self) -> None:
        """Open a snapshot."""
        await self.rows("BEGIN", ())

    async def end(self) -> None:
        """Close the snapshot, whatever happened in it."""
        while True:
            try:
                await self._connection.rollback()
            except sqlite3.Error as error:
                # An interruption meant for the query can still hit the end of its snapshot, which must not stay open.
                if primary_code(error) != sqlite3.SQLITE_INTERRUPT:
                    raise_meaning(error, self._path)
            else:
                return

    async def interrupt(self) -> None:
        """Make the statement that is running, if one is, fail soon."""
        await self._connection.interrupt()

    async def close(self) -> None:
        """Release the connection and its thread."""
        await self._connection.close()


class ThreadSnapshot(ThreadReader):
    """One with a snapshot open."""

    async def close(self) -> None:
        """Close both."""
        try:
            await self.end()
        finally:
            await super().close()


async def open_reader(path: str, show_sql: bool) -> ThreadReader:
    """One more connection to the file, which must exist."""
    return await _prepared(ThreadReader(await _connected(path), path, show_sql), _PRAGMAS)


async def open_snapshot(path: str, show_sql: bool) -> ThreadSnapshot:
    """One more connection to the file, which sees what is there now and nothing that is written later: a snapshot
    begins with its first look."""
    looking = ("BEGIN", "SELECT count(*) FROM sqlite_master")
    return await _prepared(ThreadSnapshot(await _connected(path), path, show_sql), (*_PRAGMAS, *looking))


async def _connected(path: str) -> aiosqlite.Connection:
    connection = aiosqlite.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    _let_exit(connection)
    try:
        return await connection
    except sqlite3.Error as error:
        raise_meaning(error, path)


async def _prepared(reader: R, statements: Sequence[str]) -> R:
    try:
        for statement in statements:
            await reader.rows(statement, ())
    except BaseException:
        await reader.close()
        raise
    return reader


def _let_exit(connection: aiosqlite.Connection) -> None:
    # A program that ends without closing its databases, because of an error, must not wait for their threads for ever.
    thread: object = getattr(connection, "_thread", None)
    if isinstance(thread, threading.Thread):
        thread.daemon = True
