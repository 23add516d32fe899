"""A connection for reading that is held for as long as PostgreSQL keeps it, and opened anew when it did not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeVar

from octonet.dialects.engine.faults import Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.postgres_errors import FAILURES, raise_meaning
from octonet.dialects.engine.postgres_server import Connection, Server
from octonet.dialects.engine.reading import Work

T = TypeVar("T")

_TIDY_SECONDS: Final = 5.0
_GOODBYE_SECONDS: Final = 2.0
_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Held:
    """Implements `octonet.dialects.engine.held.HeldConnection`; no statement takes longer than `timeout` seconds."""

    def __init__(self, server: Server, timeout: float) -> None:
        milliseconds = str(max(1, math.ceil(timeout * 1000)))
        self._server = server
        self._settings = {
            "default_transaction_read_only": "on",
            "statement_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        }
        self._connection: Connection | None = None
        self._pinned = False
        """Whether a snapshot is open: another connection would not see it."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer. Raises `Lost` when the connection ended meanwhile."""
        connection = self._connection
        if connection is None or connection.is_closed():
            if self._pinned:
                raise Lost(f"the connection to {self._server.address} was lost within a snapshot")
            connection = self._connection = await self._server.connect(self._settings)
        self._server.show(text)
        try:
            return await connection.fetch(text, *arguments)
        except FAILURES as error:
            raise_meaning(error, self._server.address, closed=connection.is_closed())

    async def within_snapshot(self, work: Work[T]) -> T:
        """Do the work in a transaction that only reads; when it fails, the transaction is left to `tidy`."""
        await self.rows(_SNAPSHOT, ())
        self._pinned = True
        try:
            result = await work(self)
            await self.rows("COMMIT", ())
        finally:
            self._pinned = False
        return result

    async def tidy(self) -> None:
        """Leave the transaction of a work that failed or was given up; what does not answer is cut."""
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        try:
            if not connection.is_in_transaction():
                # It may not know yet: a BEGIN that was given up is answered before this.
                await connection.execute("SELECT 1", timeout=_TIDY_SECONDS)
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK", timeout=_TIDY_SECONDS)
        except FAILURES:
            connection.terminate()

    def cut(self) -> None:
        """End the connection whatever it does."""
        if self._connection is not None:
            self._connection.terminate()

    async def close(self) -> None:
        """End an idle connection."""
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._connection.close(timeout=_GOODBYE_SECONDS)
            except FAILURES:
                self._connection.terminate()
