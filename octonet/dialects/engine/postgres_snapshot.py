"""All of a PostgreSQL database as it was at one moment: a connection of its own, which no deadline ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.postgres_errors import FAILURES, raise_meaning
from octonet.dialects.engine.postgres_server import Connection, Server

_SETTINGS: Final = {
    "default_transaction_read_only": "on",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_GOODBYE_SECONDS: Final = 2.0


class PostgresSnapshot:
    """Implements `octonet.dialects.engine.snapshot.SnapshotReader`."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        self._server.show(text)
        try:
            return await self._connection.fetch(text, *arguments)
        except FAILURES as error:
            raise_meaning(error, self._server.address, closed=self._connection.is_closed())

    async def close(self) -> None:
        """End the transaction with the connection."""
        try:
            await self._connection.close(timeout=_GOODBYE_SECONDS)
        except FAILURES:
            self._connection.terminate()


async def open_snapshot(server: Server) -> PostgresSnapshot:
    """Connect, and look: the snapshot begins with the first statement."""
    snapshot = PostgresSnapshot(server, await server.connect(_SETTINGS))
    try:
        for statement in ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SELECT 1"):
            await snapshot.rows(statement, ())
    except BaseException:
        await snapshot.close()
        raise
    return snapshot
