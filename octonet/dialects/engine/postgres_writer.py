"""The one connection that writes to PostgreSQL, and the transaction on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, Generic, NoReturn, TypeVar

from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.packets import columns
from octonet.dialects.engine.postgres_errors import FAILURES, raise_meaning
from octonet.dialects.engine.postgres_server import Connection, Server, touched
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Internal, StorageUnavailable

W = TypeVar("W", bound="PostgresWriter")

LOCK_SECONDS: Final = 5
"""How long to wait for another process that is writing."""
MIGRATION_LOCK_SECONDS: Final = 60
_IDLE_SECONDS: Final = 10
"""After which the server ends a transaction whose owner does nothing: a paused one must not hold up the others."""
STATEMENT_SECONDS: Final = 120.0
_ROLLBACK_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 2.0

SETTINGS: Final = {
    "idle_in_transaction_session_timeout": str(_IDLE_SECONDS * 1000),
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
}
_INTRODUCTION: Final = (
    "SELECT hashtextextended(format('octonet/%s/%s', current_schema(), $1::text), 0),"
    " current_setting('server_encoding'), current_schema()"
)


def settings(synced: bool) -> Mapping[str, str]:
    """What a connection that writes asks for. Unless `synced`, a commit does not wait for the disk: the log is synced
    before the rows are committed, and what a power cut takes is folded again."""
    return {**SETTINGS, "synchronous_commit": "on" if synced else "off"}


class WritingConnection(ABC, Generic[W]):
    """Opened when a transaction begins, and again when it was lost. Writers of all processes that share a prefix take
    turns; how, and what a server must be, is for whoever is derived from this to say."""

    def __init__(self, server: Server, prefix: str, settings: Mapping[str, str]) -> None:
        self._server = server
        self._settings = settings
        self._prefix = prefix
        self._connection: Connection | None = None
        self._altered = False
        """Whether the last transaction was a migration: what was prepared before it may not fit the tables."""
        self._beginning = False
        self._closed = False

    async def begin(self, model: Model, *, migrating: bool = False) -> W:
        """Open the write transaction. Raises `StorageUnavailable` when another process keeps its own open."""
        if self._closed:
            raise StorageUnavailable(f"the database {self._server.address} is closed")
        if self.is_open():
            raise Internal(f"a write transaction on {self._server.address} is open already")
        self._beginning = True
        try:
            try:
                return await self._begun(model, migrating)
            except Lost:
                return await self._begun(model, migrating)
        finally:
            self._beginning = False

    def is_open(self) -> bool:
        """Whether a transaction is open, or about to be."""
        return self._beginning or (self._connection is not None and _open(self._connection))

    async def _prepared(self, migrating: bool) -> Connection:
        """The connection, which knows the tables as they are now."""
        connection = await self.connect()
        if migrating or self._altered:
            await connection.reload_schema_state()
        self._altered = migrating
        return connection

    async def connect(self) -> Connection:
        """The connection, open. Raises `StorageUnavailable` with a sentence that says what to do."""
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = await self._server.connect(self._settings)
            self._connection = connection
            try:
                await self._introduce(connection)
            except StorageUnavailable:
                connection.terminate()
                raise
        return connection

    async def abandon(self) -> None:
        """Roll back the transaction that is open, if one is, without its owner."""
        if self._connection is not None and _open(self._connection):
            self._connection.terminate()

    async def close(self) -> None:
        """End the connection; the server rolls an open transaction back."""
        self._closed = True
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._connection.close(timeout=_GOODBYE_SECONDS)
            except FAILURES:
                self._connection.terminate()

    def _check(self, encoding: str, schema: Cell) -> None:
        if encoding != "UTF8":
            raise StorageUnavailable(
                f"{self._server.address} is encoded in {encoding!r}, which cannot hold every text: create it with"
                " ENCODING 'UTF8'"
            )
        if schema is None:
            raise StorageUnavailable(f"{self._server.address}: no schema of its search_path exists; create one")

    @abstractmethod
    async def _begun(self, model: Model, migrating: bool) -> W:
        """The transaction, open."""

    @abstractmethod
    async def _introduce(self, connection: Connection) -> None:
        """Ask the server who it is. Raises `StorageUnavailable` when it cannot be used."""


class PostgresWriting(WritingConnection["PostgresWriter"]):
    """Writers take turns by a lock that each holds until its transaction is over."""

    _key = 0

    async def _begun(self, model: Model, migrating: bool) -> PostgresWriter:
        connection = await self._prepared(migrating)
        text = self._text(MIGRATION_LOCK_SECONDS if migrating else LOCK_SECONDS, synced=migrating)
        writer = PostgresWriter(self._server, connection, model, text, None if migrating else STATEMENT_SECONDS)
        await writer.begin()
        return writer

    async def _introduce(self, connection: Connection) -> None:
        try:
            ((key, encoding, schema),) = await connection.fetch(_INTRODUCTION, self._prefix)
        except FAILURES as error:
            raise_meaning(error, self._server.address, closed=connection.is_closed())
        self._key = int(str(key))
        self._check(str(encoding), schema)

    def _text(self, seconds: int, *, synced: bool) -> str:
        # No log has the tables that a schema strategy makes.
        wait = "SET LOCAL synchronous_commit = on; " if synced else ""
        return f"BEGIN; {wait}SET LOCAL lock_timeout = '{seconds}s'; SELECT pg_advisory_xact_lock({self._key})"


class PostgresWriter:
    """The write transaction, for as long as it is open."""

    def __init__(
        self, server: Server, connection: Connection, model: Model, begin: str, patience: float | None
    ) -> None:
        self._server = server
        self._connection = connection
        self._model = model
        self._begin = begin
        self._patience = patience

    async def begin(self) -> None:
        """Open the transaction, or nothing."""
        try:
            await self.run(self._begin)
        except BaseException:
            # Given up half way, it may be open without our knowing yet.
            await self._undo()
            raise

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        self._server.show(text)
        try:
            return await self._connection.fetch(text, *arguments, timeout=self._patience)
        except FAILURES as error:
            self._raise(error, text)

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """Run a statement; the number of rows it touched."""
        return touched(await self._execute(text, arguments))

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement over all the lines at once; the number of rows touched."""
        return touched(await self._execute(text, columns(lines)))

    async def commit(self) -> None:
        """Commit, or, when that fails, roll back and raise."""
        try:
            tag = await self._execute("COMMIT", ())
        finally:
            await self.rollback()
        if tag != "COMMIT":
            raise Internal("the transaction had failed before its commit, and was rolled back")

    async def rollback(self) -> None:
        """Roll back; nothing happens when the transaction is already over. A server that does not answer is left."""
        if _open(self._connection):
            await self._undo()

    async def restart(self) -> None:
        """Undo everything, and begin anew. Raises as a begin does."""
        await self.rollback()
        await self.begin()

    async def _undo(self) -> None:
        if self._connection.is_closed():
            return
        self._server.show("ROLLBACK")
        try:
            await self._connection.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
        except FAILURES:
            self._connection.terminate()

    async def _execute(self, text: str, arguments: Sequence[Cell]) -> str:
        self._server.show(text)
        try:
            return await self._connection.execute(text, *arguments, timeout=self._patience)
        except FAILURES as error:
            self._raise(error, text)

    def _raise(self, error: BaseException, text: str) -> NoReturn:
        closed = self._connection.is_closed()
        raise_meaning(error, self._server.address, closed=closed, model=self._model)


def _open(connection: Connection) -> bool:
    return not connection.is_closed() and connection.is_in_transaction()
