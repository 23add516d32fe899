"""Filling an empty database from a snapshot, block by block, so that whoever is interrupted goes on where it was.

Until it is filled, its checkpoint is one that stands on no log: entry 0, the snapshot's digest, and as frame the number
of blocks that are in. Nobody takes such a database for a fold of anything: the first entry of the log does not
continue that digest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import BinaryIO

from octonet.kernel.errors import Internal
from octonet.kernel.ids import Row
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.schema_parse import parse
from octonet.kernel.sealing import Sealer, open_row
from octonet.kernel.storage import Checkpoint, Database, Remembered, Stored, Strategy
from octonet.snapshots.format import Checked, Inbox, Rows, blocks
from octonet.snapshots.taking import columns


def unfinished(mark: Checkpoint) -> bytes:
    """The digest of the snapshot that a database is being filled from; empty where it is not."""
    return mark.digest if mark.entry == 0 else b""


async def fill(
    database: Database,
    file: BinaryIO,
    found: Checked,
    sealer: Sealer,
    breathe: Callable[[int], Awaitable[None]],
) -> None:
    """Make the tables as the snapshot's schema has them, and put into them what is not there yet. `breathe` is awaited
    after each commit, with the number of rows in it. Raises `StorageUnavailable`; `Internal` when somebody else
    writes to the database."""
    schemas = parse(found.head.source)
    await database.migrate(schemas, Strategy.UPDATE)
    filling = _Filling(database, schemas, sealer, found.digest)
    done = (await database.checkpoint()).frame
    for number, block in enumerate(blocks(file), 1):
        if number > done:
            await filling.put(number, block)
            await breathe(len(block.rows) if isinstance(block, Rows) else 0)
    await filling.end(found.head.checkpoint)


class _Filling:
    def __init__(self, database: Database, schemas: Schemas, sealer: Sealer, digest: bytes) -> None:
        self._database = database
        self._schemas = schemas
        self._sealer = sealer
        self._digest = digest

    async def put(self, number: int, block: Rows | Inbox) -> None:
        transaction = await self._database.begin()
        try:
            mark = await transaction.checkpoint()
            if (mark.entry, mark.frame) != (0, number - 1):
                raise Internal("the checkpoint moved under the snapshot: another process writes to this database")
            if isinstance(block, Inbox):
                await transaction.remember([Remembered(*one) for one in block.commands])
            else:
                schema = self._schemas.entities[block.entity]
                await transaction.insert(schema, list(self._stored(schema, block)))
            await transaction.move_checkpoint(Checkpoint(0, number, self._digest, self._schemas.digest))
            await transaction.commit()
        finally:
            await transaction.rollback()

    async def end(self, mark: Checkpoint) -> None:
        transaction = await self._database.begin()
        try:
            await transaction.move_checkpoint(mark)
            await transaction.commit()
        finally:
            await transaction.rollback()

    def _stored(self, schema: EntitySchema, block: Rows) -> list[Stored]:
        names, sealer = columns(schema), self._sealer
        found: list[Stored] = []
        for id, version, values in block.rows:
            row: Row = dict(zip(names, values, strict=True))
            found.append(Stored(id, version, open_row(sealer, schema, id, row)))
        return found
