"""All of a database as it was at one moment, read in pages: for those who copy or compare it."""

from __future__ import annotations

from typing import Protocol

from octonet.dialects.engine.grammar import Cells
from octonet.dialects.engine.links import Reader, stored
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.reading import checkpoint_of
from octonet.kernel.ids import CommandId
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Checkpoint, Remembered, Stored


class SnapshotReader(Reader, Protocol):
    """A connection with a snapshot open, which no deadline ends."""

    async def close(self) -> None:
        """Close the snapshot and release the connection."""
        ...


class SqlSnapshot:
    """Implements `octonet.kernel.storage.Snapshot`."""

    def __init__(self, queries: Queries, reader: SnapshotReader) -> None:
        self._queries = queries
        self._reader = reader

    async def checkpoint(self) -> Checkpoint:
        """See the port."""
        return checkpoint_of(await self._reader.rows(self._queries.checkpoint().statement.text, ()))

    async def rows(self, schema: EntitySchema, after: str, limit: int) -> list[Stored]:
        """See the port."""
        return await stored(self._reader, self._queries, self._queries.following(schema, after, limit))

    async def remembered(self, after: str, limit: int) -> list[Remembered]:
        """See the port."""
        bound = self._queries.remembered(after, limit)
        return [_remembered(cells) for cells in await self._reader.rows(bound.text, bound.arguments)]


def _remembered(cells: Cells) -> Remembered:
    command, entry = cells
    return Remembered(CommandId(str(command)), int(str(entry)))
