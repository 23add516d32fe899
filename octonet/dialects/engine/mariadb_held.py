"""A connection for reading that is held for as long as MariaDB keeps it, and opened anew when it did not; and one that
looks at everything as it was at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar

from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.mariadb_connection import Connection
from octonet.dialects.engine.mariadb_errors import FAILURES, raise_meaning
from octonet.dialects.engine.mariadb_product import SNAPSHOT
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.reading import Work

T = TypeVar("T")

_TIDY_SECONDS: Final = 5.0


class Held:
    """Implements `octonet.dialects.engine.held.HeldConnection`; no statement takes longer than `timeout` seconds."""

    def __init__(self, server: Server, timeout: float) -> None:
        self._server = server
        self._settings = server.product.reading(timeout)
        self._connection: Connection | None = None
        self._pinned = False
        """Whether a snapshot is open: another connection would not see it."""
        self._asking = False
        """Whether a statement is under way."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer. Raises `Lost` when the connection ended meanwhile."""
        connection = await self._open()
        self._server.show(text)
        self._asking = True
        try:
            found = await connection.rows(text, arguments)
        except FAILURES as error:
            self._asking = False
            raise_meaning(error, self._server.address, closed=connection.is_closed())
        self._asking = False
        return found

    async def within_snapshot(self, work: Work[T]) -> T:
        """Do the work in a transaction that only reads; when it fails, the transaction is left to `tidy`."""
        await self._command(SNAPSHOT)
        self._pinned = True
        try:
            result = await work(self)
            await self._command("COMMIT")
        finally:
            self._pinned = False
        return result

    async def tidy(self) -> None:
        """Leave the transaction of a work that failed; a statement that was given up is ended on the server, too."""
        connection = self._connection
        if connection is None:
            return
        if self._asking:
            self._asking = False
            connection.terminate()
            await self._server.end(connection.thread)
        elif not connection.is_closed():
            try:
                async with asyncio.timeout(_TIDY_SECONDS):
                    await connection.run("ROLLBACK", ())
            except FAILURES:
                connection.terminate()

    def cut(self) -> None:
        """End the connection whatever it does."""
        if self._connection is not None:
            self._connection.terminate()

    async def close(self) -> None:
        """End an idle connection."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close()

    async def _command(self, text: str) -> None:
        connection = await self._open()
        self._server.show(text)
        try:
            await connection.run(text, ())
        except FAILURES as error:
            raise_meaning(error, self._server.address, closed=connection.is_closed())

    async def _open(self) -> Connection:
        connection = self._connection
        if connection is None or connection.is_closed():
            if self._pinned:
                raise Lost(f"the connection to {self._server.address} was lost within a snapshot")
            connection = self._connection = await self._server.connect(self._settings)
        return connection


class MariadbSnapshot:
    """Implements `octonet.dialects.engine.snapshot.SnapshotReader`: a connection of its own, which no deadline ends."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        self._server.show(text)
        try:
            return await self._connection.rows(text, arguments)
        except FAILURES as error:
            raise_meaning(error, self._server.address, closed=self._connection.is_closed())

    async def close(self) -> None:
        """End the transaction with the connection."""
        await self._connection.close()


async def open_snapshot(server: Server) -> MariadbSnapshot:
    """Connect, and look."""
    return MariadbSnapshot(server, await server.connect(server.product.looking))
