"""All of a database as it was at one moment, where the database shows that only while its writer waits: it is copied,
and the writer goes on while the copy is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

import msgspec

from octonet.dialects.engine.local_copy import Copy
from octonet.kernel.ids import CommandId, EntityId, Row
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Checkpoint, Remembered, Snapshot, Stored

_AT_ONCE: Final = 1_000
_INBOX: Final = ""
"""No entity is called so."""


class CopiedSnapshot:
    """Implements `octonet.kernel.storage.Snapshot`."""

    def __init__(self, copy: Copy, checkpoint: Checkpoint) -> None:
        self._copy = copy
        self._checkpoint = checkpoint

    async def checkpoint(self) -> Checkpoint:
        """See the port."""
        return self._checkpoint

    async def rows(self, schema: EntitySchema, after: str, limit: int) -> list[Stored]:
        """See the port."""
        found: list[Stored] = []
        for id, body in self._copy.behind(schema.name, after, limit):
            version, state = msgspec.msgpack.decode(body)
            found.append(Stored(EntityId(id), version, cast("Row", state)))
        return found

    async def remembered(self, after: str, limit: int) -> list[Remembered]:
        """See the port."""
        found = self._copy.behind(_INBOX, after, limit)
        return [Remembered(CommandId(id), int.from_bytes(body)) for id, body in found]


async def copied(look: Snapshot, schemas: Iterable[EntitySchema], copy: Copy) -> CopiedSnapshot:
    """All that a snapshot shows, in a copy of its own."""
    for schema in schemas:
        after = ""
        while rows := await look.rows(schema, after, _AT_ONCE):
            after = rows[-1].id
            copy.put(schema.name, [(row.id, msgspec.msgpack.encode((row.version, row.state))) for row in rows])
    after = ""
    while inbox := await look.remembered(after, _AT_ONCE):
        after = inbox[-1].command_id
        copy.put(_INBOX, [(each.command_id, each.entry.to_bytes(8)) for each in inbox])
    return CopiedSnapshot(copy, await look.checkpoint())
