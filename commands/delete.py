"""Remove one row."""

from __future__ import annotations

from typing import Self

from commands.engine.members import required_id
from octonet.kernel.ids import EntityId
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Result, Session
from octonet.kernel.schema import EntitySchema


class Delete(Command, frozen=True, tag="delete"):
    """Soft where the schema says so. An unknown id is not a write, and answers false."""

    needs = ("id",)
    result = Result.DELETED

    id: EntityId

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        return cls(schema.name, required_id(request))

    def touches(self) -> tuple[EntityId, ...]:
        return (self.id,)

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        if await session.load(schema, self.id) is None:
            return Decided()
        await session.erase(schema, [self.id])
        return Decided(id=self.id, count=1)
