"""The one connection that writes to PostgreSQL, and the transaction on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.postgres_errors import FAILURES, raise_meaning
from octonet.dialects.engine.postgres_server import Connection, Server, columns, touched
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Internal, StorageUnavailable

_LOCK_SECONDS: Final = 5
"""How long to wait for another process that is writing."""
_MIGRATION_LOCK_SECONDS: Final = 60
_IDLE_SECONDS: Final = 10
"""After which the server ends a transaction whose owner does nothing: a paused one must not hold up the others."""
_STATEMENT_SECONDS: Final = 120.0
_ROLLBACK_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 2.0

_SETTINGS: Final = {
    "idle_in_transaction_session_timeout": str(_IDLE_SECONDS * 1000),
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
}
_INTRODUCTION: Final = (
    "SELECT hashtextextended(format('octonet/%s/%s', current_schema(), $1::text), 0),"
    " current_setting('server_encoding'), current_schema()"
)


class WritingConnection:
    """Opened when a transaction begins, and again when it was lost. Writers of all processes that share a prefix take
    turns, by a lock that each holds until its transaction is over. Unless `synced`, a commit does not wait for the
    disk: the log is synced before the rows are committed, and what a power cut takes is folded again."""

    def __init__(self, server: Server, prefix: str, synced: bool = False) -> None:
        self._server = server
        self._settings = {**_SETTINGS, "synchronous_commit": "on" if synced else "off"}
        self._prefix = prefix
        self._connection: Connection | None = None
        self._key = 0
        self._altered = False
        """Whether the last transaction was a migration: what was prepared before it may not fit the tables."""
        self._beginning = False
        self._closed = False

    async def begin(self, model: Model, *, migrating: bool = False) -> PostgresWriter:
        """Open the write transaction. Raises `StorageUnavailable` when another process keeps its own open."""
        if self._closed:
            raise StorageUnavailable(f"the database {self._server.address} is closed")
        if self._beginning or (self._connection is not None and _open(self._connection)):
            raise Internal(f"a write transaction on {self._server.address} is open already")
        self._beginning = True
        try:
            try:
                return await self._begun(model, migrating)
            except Lost:
                return await self._begun(model, migrating)
        finally:
            self._beginning = False

    async def _begun(self, model: Model, migrating: bool) -> PostgresWriter:
        connection = await self.connect()
        if migrating or self._altered:
            await connection.reload_schema_state()
        self._altered = migrating
        text = self._text(_MIGRATION_LOCK_SECONDS if migrating else _LOCK_SECONDS)
        writer = PostgresWriter(self._server, connection, model, text, None if migrating else _STATEMENT_SECONDS)
        await writer.begin()
        return writer

    async def connect(self) -> Connection:
        """The connection, open. Raises `StorageUnavailable` with a sentence that says what to do."""
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = await self._server.connect(self._settings)
            self._connection = connection
            await self._introduce(connection)
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

    async def _introduce(self, connection: Connection) -> None:
        try:
            ((key, encoding, schema),) = await connection.fetch(_INTRODUCTION, self._prefix)
        except FAILURES as error:
            raise_meaning(error, self._server.address, closed=connection.is_closed())
        self._key = int(str(key))
        if encoding != "UTF8":
            connection.terminate()
            raise StorageUnavailable(
                f"{self._server.address} is encoded in {encoding!r}, which cannot hold every text: create it with"
                " ENCODING 'UTF8'"
            )
        if schema is None:
            connection.terminate()
            raise StorageUnavailable(f"{self._server.address}: no schema of its search_path exists; create one")

    def _text(self, seconds: int) -> str:
        return f"BEGIN; SET LOCAL lock_timeout = '{seconds}s'; SELECT pg_advisory_xact_lock({self._key})"


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
            self._raise(error)

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
            self._raise(error)

    def _raise(self, error: BaseException) -> NoReturn:
        closed = self._connection.is_closed()
        raise_meaning(error, self._server.address, closed=closed, model=self._model)


def _open(connection: Connection) -> bool:
    return not connection.is_closed() and connection.is_in_transaction()
