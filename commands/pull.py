"""Remove an element from an array, or a link from a many-to-many relation."""

from __future__ import annotations

from typing import Self

from commands.engine.members import required_element, required_field, required_id, required_row
from octonet.kernel.equality import same
from octonet.kernel.ids import EntityId, JsonValue
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Session
from octonet.kernel.schema import EntitySchema


class Pull(Command, frozen=True, tag="pull"):
    """Every element equal as JSON goes. An unknown id is rejected."""

    needs = ("id", "field", "value")
    takes = ("relations",)

    id: EntityId
    field: str
    value: JsonValue

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        name = required_field(request)
        return cls(schema.name, required_id(request), name, required_element(request, schema, name))

    def touches(self) -> tuple[EntityId, ...]:
        return (self.id,)

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        row = await required_row(session, schema, self.id)
        held = row[self.field]
        if isinstance(held, list):
            left = [element for element in held if not same(element, self.value)]
            await session.update(schema, self.id, {self.field: left})
        return Decided(id=self.id, count=1)
