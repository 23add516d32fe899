"""What a replication rule asks for: that a row be as it is in another project. No door offers it."""

from __future__ import annotations

from octonet.kernel.errors import VersionMismatch
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.operation import Command, Decided, Moment, Session
from octonet.kernel.schema import DELETED_AT, EntitySchema

ANY_VERSION = -1


class Replicate(Command, frozen=True, tag="replicate"):
    """One row, as a whole. It is refused where the row is not at version `base` (0: absent), so that nothing is
    overwritten that the rule has not seen; `ANY_VERSION` where it does not matter."""

    id: EntityId
    base: int
    gone: bool
    """Whether the row is to be no more."""
    data: Row
    """The row as it would be added, secrets sealed."""
    known: tuple[str, ...]
    """The columns and links that the other project has, too: others stay as they are in a row that is there."""

    def touches(self) -> tuple[EntityId, ...]:
        return (self.id,)

    def mentions(self) -> Row:
        return self.data

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        version, before = await session.standing(schema, self.id)
        if self.base not in (version, ANY_VERSION):
            raise VersionMismatch(f"{schema.name} {self.id} is at version {version}, not {self.base}")
        if self.gone:
            await _remove(session, schema, self.id, before, moment)
        elif before is None:
            await session.create(schema, self.id, self.data, settled=True)
        else:
            await session.update(schema, self.id, {name: self.data[name] for name in self.known}, settled=True)
        return Decided(count=1)


async def _remove(session: Session, schema: EntitySchema, id: EntityId, before: Row | None, moment: Moment) -> None:
    if before is None:
        return
    if not schema.soft_delete:
        await session.erase(schema, [id])
    elif before[DELETED_AT] is None:
        await session.update(schema, id, {DELETED_AT: moment.at})
