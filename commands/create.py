"""Add a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import msgspec

from commands.engine.members import required_data
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Session
from octonet.kernel.schema import EntitySchema
from octonet.kernel.values import entity_id, new_row


class Create(Command, frozen=True, tag="create"):
    """A new row under a fresh id, or under the one the client brought."""

    needs = ("data",)
    takes = ("relations",)

    id: EntityId
    data: Row

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        data = required_data(request)
        given = data.get("id")
        id = door.new_id() if given is None else entity_id(given, "$.data.id")
        return cls(schema.name, id, new_row(schema, data, door.at))

    def sealed(self, seal: Callable[[Row], Row]) -> Self:
        return msgspec.structs.replace(self, data=seal(self.data))

    def makes(self) -> EntityId | None:
        return self.id

    def mentions(self) -> Row:
        return self.data

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        await session.create(schema, self.id, self.data)
        return Decided(id=self.id, count=1)
