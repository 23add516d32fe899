"""Change some columns of one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import msgspec

from commands.engine.members import required_data, required_id
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Session
from octonet.kernel.schema import EntitySchema
from octonet.kernel.values import change


class Update(Command, frozen=True, tag="update"):
    """A merge: what is not named stays. An unknown id is not a write, and answers null."""

    needs = ("id", "data")
    takes = ("relations",)

    id: EntityId
    data: Row

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        return cls(schema.name, required_id(request), change(schema, required_data(request)))

    def sealed(self, seal: Callable[[Row], Row]) -> Self:
        return msgspec.structs.replace(self, data=seal(self.data))

    def touches(self) -> tuple[EntityId, ...]:
        return (self.id,)

    def mentions(self) -> Row:
        return self.data

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        if await session.load(schema, self.id) is None:
            return Decided()
        await session.update(schema, self.id, self.data)
        return Decided(id=self.id, count=1)
