"""SQLite: one file, one writer on the event loop, short reads beside it, long reads in threads."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import Final

from octonet.dialects.engine.database import SqlDatabase
from octonet.dialects.engine.model import build
from octonet.dialects.engine.pool import Pool
from octonet.dialects.engine.snapshot import SnapshotReader
from octonet.dialects.engine.sqlite_errors import primary_code, raise_meaning
from octonet.dialects.engine.sqlite_grammar import GRAMMAR, LISTINGS
from octonet.dialects.engine.sqlite_inline import InlineReads, InlineWriter
from octonet.dialects.engine.sqlite_journal import share
from octonet.dialects.engine.sqlite_reflection import tables_of
from octonet.dialects.engine.sqlite_threads import open_reader, open_snapshot
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Internal, Invalid, OctonetError, StorageUnavailable
from octonet.kernel.reflected import ReflectedTable
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Dialect

_BUSY_SECONDS: Final = 5.0
"""How long to wait for another process that is writing."""
_BUSY_PAUSE: Final = 0.02
_CACHE_KIB: Final = 16 * 1024
_JOURNAL_BYTES: Final = 64 * 1024 * 1024


class SqliteDatabase(SqlDatabase):
    """Implements `octonet.kernel.storage.Database`."""

    def __init__(self, path: str, model: Model, options: DatabaseOptions) -> None:
        self._path = path
        self._writer, self._reader = _open_files(path)
        self._pool = Pool(lambda: open_reader(path, options.show_sql), options.pool_size, options.query_timeout)
        self._inline = InlineReads(self._reader, self._pool, path, options.show_sql)
        super().__init__(GRAMMAR, LISTINGS, model, self._inline, options)
        self._beginning = False

    async def identity(self) -> str:
        """See the port: a file, whatever links lead to it."""
        found = os.stat(self._path)
        return f"sqlite/{found.st_dev}/{found.st_ino}"

    async def close(self, *, kept: bool = False) -> None:
        """Release every connection; an open transaction is rolled back."""
        if self._closed:
            return
        await self._pool.close()
        try:
            self._writer.rollback()
            if self._drops_at_close and not kept:
                await self._remove()
        finally:
            self._closed = True
            self._reader.close()
            self._writer.close()

    async def _open_writer(self, model: Model, *, migrating: bool) -> InlineWriter:
        if self._closed:
            raise StorageUnavailable(f"the database {self._path} is closed")
        if self._beginning or self._writer.in_transaction:
            raise Internal(f"a write transaction on {self._path} is open already")
        await self._lock_file()
        return InlineWriter(self._writer, self._lock_file, self._inline, model, self._path, self._options.show_sql)

    async def _open_snapshot(self) -> SnapshotReader:
        return await open_snapshot(self._path, self._options.show_sql)

    async def _lock_file(self) -> None:
        self._beginning = True
        try:
            await self._lock_patiently()
        finally:
            self._beginning = False

    async def _lock_patiently(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _BUSY_SECONDS
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if primary_code(error) != sqlite3.SQLITE_BUSY or loop.time() > deadline:
                    raise_meaning(error, self._path)
            else:
                return
            await asyncio.sleep(_BUSY_PAUSE)


class SqliteDialect:
    """Implements `octonet.kernel.storage.Dialect`."""

    name = "sqlite"

    async def open(self, uri: str, schemas: Schemas, options: DatabaseOptions) -> Database:
        """Open the file that `uri` names, made with its directory where it is not there: ``sqlite:///relative``,
        ``sqlite:////absolute``, ``sqlite:path`` or a plain path."""
        return SqliteDatabase(_path_of(uri), build(schemas, GRAMMAR, options.table_prefix), options)

    async def reflect(self, uri: str) -> list[ReflectedTable]:
        """Implements `octonet.kernel.reflected.Reflects`."""
        return await asyncio.to_thread(tables_of, _path_of(uri))


def _path_of(uri: str) -> str:
    path = uri.removeprefix("sqlite:")
    if path != uri and path.startswith("//"):
        if not path.startswith("///"):
            raise Invalid(
                f"{uri!r} names a server: a file is named as sqlite:///relative/path or sqlite:////absolute/path"
            )
        path = path.removeprefix("///")
    if not path or ":memory:" in path:
        raise Invalid(f"{uri!r} names no file: writer and readers are connections apart, and must see the same data")
    if "?" in path or "\0" in path:
        raise Invalid(f"{uri!r} holds a sign that the path of a database cannot hold")
    return os.path.abspath(path)


def _open_files(path: str) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """The writer's and the reader's connection. Raises `Invalid` or `StorageUnavailable` with the reason."""
    if os.path.isdir(path):
        raise Invalid(f"{path} is a directory: name a file in it")
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as problem:
        raise Invalid(f"the directory of {path} cannot be made: {problem.strerror}") from problem
    opened: list[sqlite3.Connection] = []
    try:
        for _ in range(2):
            opened.append(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=512))
        writer, reader = opened
        _prepare(writer, reader, path)
    except (sqlite3.Error, OctonetError) as problem:
        for connection in opened:
            connection.close()
        if isinstance(problem, sqlite3.Error):
            raise_meaning(problem, path)
        raise
    return writer, reader


def _prepare(writer: sqlite3.Connection, reader: sqlite3.Connection, path: str) -> None:
    writer.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not share(writer, _BUSY_SECONDS):
        raise StorageUnavailable(f"{path} cannot have a write-ahead log: its file system shares no memory")
    writer.execute("PRAGMA synchronous=NORMAL")
    writer.execute(f"PRAGMA journal_size_limit={_JOURNAL_BYTES}")
    # Waiting for another writer must not stop the event loop, see `_lock_file`.
    writer.execute("PRAGMA busy_timeout=0")
    reader.execute("PRAGMA query_only=ON")
    for connection in (writer, reader):
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        # References are checked by the unit of work; they are declared for others who read the file.
        connection.execute("PRAGMA foreign_keys=OFF")


DIALECT: Final[Dialect] = SqliteDialect()
