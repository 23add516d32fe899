"""The connection that writes to CockroachDB, and the transaction on it.

CockroachDB has no locks by name. Whoever writes takes a turn: it changes its prefix's row of a table, and whoever comes
next waits until that transaction is over. Every transaction is serializable; the database may refuse any statement, the
commit too, because of another session: then all of it is undone, and the caller begins anew.

A definition is only whole by itself: within a transaction it may fail at the commit, when others stand already. A
migration therefore makes each alone (ADR-0025), and takes its turn on a second connection, whose transaction stays
open meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Final, NoReturn

from octonet.dialects.engine.cockroachdb_errors import raise_meaning
from octonet.dialects.engine.faults import Contended, Lost
from octonet.dialects.engine.postgres_errors import CONFLICT, FAILURES, state_of
from octonet.dialects.engine.postgres_errors import raise_meaning as raise_plain_meaning
from octonet.dialects.engine.postgres_server import Connection, Server
from octonet.dialects.engine.postgres_writer import (
    LOCK_SECONDS,
    MIGRATION_LOCK_SECONDS,
    SETTINGS,
    STATEMENT_SECONDS,
    PostgresWriter,
    WritingConnection,
)
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import StorageUnavailable

TURNS: Final = "octonet_turns"
"""One table for all prefixes: it is nobody's, and stays."""
OLDEST: Final = (23, 2)
_SERIALIZABLE: Final = {"default_transaction_isolation": "serializable"}
_WRITING: Final = {**SETTINGS, **_SERIALIZABLE}
_HOLDING: Final = {**_WRITING, "idle_in_transaction_session_timeout": "0"}
"""Idle for as long as a migration takes; a process that dies takes its connection along."""
_MADE: Final = f"CREATE TABLE IF NOT EXISTS {TURNS} (prefix VARCHAR(64) PRIMARY KEY, turn BIGINT NOT NULL)"
_MEANWHILE: Final = ("23505", "42P07", CONFLICT)
"""Somebody else made the table at the same time."""
_INTRODUCTION: Final = "SELECT version(), current_setting('server_encoding'), current_schema()"
_BEGIN: Final = "BEGIN"


class CockroachWriting(WritingConnection["CockroachWriter"]):
    """Opened when a transaction begins, and again when it was lost. A commit is on the disks of most replicas."""

    def __init__(self, server: Server, prefix: str) -> None:
        super().__init__(server, prefix, _WRITING)
        digest = hashlib.sha256(prefix.encode()).hexdigest()
        # As an upsert: the first of all writers makes the row.
        self._turn = (
            f"INSERT INTO {TURNS} (prefix, turn) VALUES ('{digest}', 1)"
            f" ON CONFLICT (prefix) DO UPDATE SET turn = {TURNS}.turn + 1"
        )

    async def _begun(self, model: Model, migrating: bool) -> CockroachWriter:
        connection = await self._prepared(migrating)
        if not migrating:
            text = f"{_BEGIN}; SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; {self._turn}"
            writer = CockroachWriter(self._server, connection, model, text)
        else:
            await self._make_table(connection)
            writer = CockroachWriter(self._server, connection, model, _BEGIN, Turn(self._server, self._turn))
        await writer.begin()
        return writer

    async def _make_table(self, connection: Connection) -> None:
        try:
            await connection.execute(_MADE)
        except FAILURES as error:
            if state_of(error) not in _MEANWHILE:
                raise_plain_meaning(error, self._server.address, closed=connection.is_closed())

    async def _introduce(self, connection: Connection) -> None:
        try:
            ((version, encoding, schema),) = await connection.fetch(_INTRODUCTION)
        except FAILURES as error:
            raise_plain_meaning(error, self._server.address, closed=connection.is_closed())
        found = re.match(r"CockroachDB .*?v(\d+)\.(\d+)", str(version))
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise StorageUnavailable(f"{self._server.address} is {version!s}: CockroachDB {needed} or later is needed")
        self._check(str(encoding), schema)


class Turn:
    """The turn of a migration: a transaction on a connection of its own that does nothing but hold it."""

    def __init__(self, server: Server, text: str) -> None:
        self._server = server
        self._text = f"{_BEGIN}; SET LOCAL lock_timeout = '{MIGRATION_LOCK_SECONDS}s'; {text}"
        self._connection: Connection | None = None

    async def take(self) -> None:
        """Wait for it. Raises `StorageUnavailable` when another process keeps its own."""
        connection = self._connection = await self._server.connect(_HOLDING)
        await self._execute(connection, self._text)

    async def keep(self) -> None:
        """Go on. Raises `StorageUnavailable` when it was lost: nothing may be done any more."""
        if self._connection is None or self._connection.is_closed():
            raise Lost(f"the migration of {self._server.address} lost its turn")
        await self._execute(self._connection, "SELECT 1")

    def give_up(self) -> None:
        """Let the next one write."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _execute(self, connection: Connection, text: str) -> None:
        self._server.show(text)
        try:
            await connection.execute(text)
        except FAILURES as error:
            raise_plain_meaning(error, self._server.address, closed=connection.is_closed())


class CockroachWriter(PostgresWriter):
    """The write transaction, for as long as it is open; with a turn of its own, that of a migration. Implements
    `octonet.dialects.engine.journal_migrator.DefiningWriter`."""

    def __init__(
        self, server: Server, connection: Connection, model: Model, begin: str, turn: Turn | None = None
    ) -> None:
        super().__init__(server, connection, model, begin, STATEMENT_SECONDS if turn is None else None)
        self._turn = turn

    async def begin(self) -> None:
        """Open the transaction, or nothing. Whoever waited for a turn that another one used is told to try anew."""
        loop = asyncio.get_running_loop()
        patience = LOCK_SECONDS if self._turn is None else MIGRATION_LOCK_SECONDS
        deadline = loop.time() + patience
        while True:
            try:
                if self._turn is not None:
                    await self._turn.take()
                await super().begin()
            except BaseException as problem:
                self._give_up()
                if not isinstance(problem, Contended):
                    raise
                if loop.time() > deadline:
                    raise StorageUnavailable(
                        f"other processes keep their write transactions on {self._server.address} open"
                    ) from problem
            else:
                return

    def is_open(self) -> bool:
        """Whether there is something to commit or to roll back."""
        return not self._connection.is_closed() and self._connection.is_in_transaction()

    async def define(self, text: str) -> None:
        """Commit what came before, and carry out one statement alone, which is committed or has done nothing."""
        await self._apart("COMMIT", text)

    async def settle(self) -> None:
        """Commit, and go on under the same lock."""
        await self._apart("COMMIT")

    async def reset(self) -> None:
        """Roll back to the last commit, and go on under the same lock."""
        await self._apart("ROLLBACK")

    async def _apart(self, *texts: str) -> None:
        """End the transaction that is open, and open another one behind it whatever happens."""
        if self._turn is not None:
            await self._turn.keep()
        try:
            for text in texts:
                await self.run(text)
        finally:
            if self.is_open():
                await self._undo()
            if not self._connection.is_closed():
                await self.run(_BEGIN)

    async def rollback(self) -> None:
        """Roll back; nothing happens when the transaction is already over. A server that does not answer is left."""
        try:
            await super().rollback()
        finally:
            self._give_up()

    def _give_up(self) -> None:
        if self._turn is not None:
            self._turn.give_up()

    def _raise(self, error: BaseException, text: str) -> NoReturn:
        closed = self._connection.is_closed()
        raise_meaning(error, self._server.address, closed=closed, model=self._model, statement=text)
