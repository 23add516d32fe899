"""Taking a snapshot: everything that a database holds at one moment, written while it goes on being written to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import BinaryIO, Final

from octonet.kernel.errors import Conflict
from octonet.kernel.ids import JsonValue, ProjectName
from octonet.kernel.schema import ID, EntitySchema, Schemas
from octonet.kernel.sealing import Sealer, seal_row
from octonet.kernel.storage import Checkpoint, Database, Snapshot, Stored
from octonet.snapshots.format import End, Head, Inbox, Rows, Writer

_MOST_ROWS: Final = 1000
_BLOCK_BYTES: Final = 4 << 20
"""What a block may have, uncompressed: larger rows are taken fewer at a time."""


class Taken(Checkpoint, frozen=True):
    """The checkpoint of a snapshot that was written, and how many rows it has."""

    rows: int = 0


async def _at_once() -> None:
    return None


class Taking:
    """Takes snapshots of one project. `breathe` is awaited after each block, of `most` rows; `tell` hears of rows that
    were read."""

    def __init__(
        self,
        project: ProjectName,
        schemas: Schemas,
        sealer: Sealer,
        breathe: Callable[[], Awaitable[None]] = _at_once,
        tell: Callable[[int], object] = lambda rows: None,
        most: int = _MOST_ROWS,
    ) -> None:
        self._project = project
        self._schemas = schemas
        self._sealer = sealer
        self._breathe = breathe
        self._tell = tell
        self._most = most

    async def take(self, database: Database, out: BinaryIO, at: int) -> Taken:
        """Write all of the database to `out`; `at` is the time. Raises `Conflict`: code SNAPSHOT_NOT_READY when the
        tables do not follow the schema, or nothing was folded yet; SNAPSHOT_INCOMPLETE when values stand in the
        database that the schema has given up, which a snapshot would lose."""
        followed = await database.follows()
        if followed is not None and followed.aside:
            names = ", ".join(followed.aside[:5])
            raise Conflict(
                f"the tables hold what the schema has given up ({names}), and would give it back when it is named "
                "again: a snapshot would lose that",
                code="SNAPSHOT_INCOMPLETE",
            )
        async with database.snapshot() as look:
            mark = await look.checkpoint()
            if not mark.entry or mark.schema != self._schemas.digest:
                raise Conflict("the tables do not follow the log yet: try again later", code="SNAPSHOT_NOT_READY")
            writer = Writer(out, Head(self._project, mark, self._schemas.source, at))
            rows = {schema.name: await self._rows(look, writer, schema) for schema in self._schemas.entities.values()}
            commands = await self._commands(look, writer)
            await asyncio.to_thread(writer.finish, End(rows, commands))
        return Taken(mark.entry, mark.frame, mark.digest, mark.schema, sum(rows.values()))

    async def _rows(self, look: Snapshot, writer: Writer, schema: EntitySchema) -> int:
        names, count, last, limit = columns(schema), 0, "", self._most
        while rows := await look.rows(schema, last, limit):
            last, count = rows[-1].id, count + len(rows)
            block = Rows(schema.name, [(row.id, row.version, self._values(schema, names, row)) for row in rows])
            # Compressing leaves the loop to others.
            size = await asyncio.to_thread(writer.put, block)
            limit = max(1, min(self._most, len(rows) * _BLOCK_BYTES // max(size, 1)))
            self._tell(len(rows))
            await self._breathe()
        return count

    def _values(self, schema: EntitySchema, names: list[str], row: Stored) -> list[JsonValue]:
        state = seal_row(self._sealer, schema, row.id, row.state)
        return [state.get(name) for name in names]

    async def _commands(self, look: Snapshot, writer: Writer) -> int:
        count, last = 0, ""
        while found := await look.remembered(last, self._most):
            last, count = found[-1].command_id, count + len(found)
            await asyncio.to_thread(writer.put, Inbox([(one.command_id, one.entry) for one in found]))
            await self._breathe()
        return count


def columns(schema: EntitySchema) -> list[str]:
    """The names of the values of a row, in the order in which they stand in a snapshot."""
    return [name for name in schema.columns if name != ID] + [relation.name for relation in schema.links]
