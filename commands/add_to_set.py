"""Add an element to an array, or a link to a many-to-many relation, unless it is there."""

from __future__ import annotations

from typing import Self

from commands.engine.members import required_element, required_field, required_id, required_row
from octonet.kernel.equality import same
from octonet.kernel.errors import ValidationError, validation
from octonet.kernel.ids import EntityId, JsonValue
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Session
from octonet.kernel.schema import EntitySchema


class AddToSet(Command, frozen=True, tag="addToSet"):
    """Elements are compared as JSON. An unknown id is rejected."""

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
        elements = held if isinstance(held, list) else []
        if not any(same(element, self.value) for element in elements):
            added = [*elements, self.value]
            if self.field in schema.relations:
                added.sort(key=str)
            await self._put(session, schema, added)
        return Decided(id=self.id, count=1)

    async def _put(self, session: Session, schema: EntitySchema, added: list[JsonValue]) -> None:
        try:
            await session.update(schema, self.id, {self.field: added})
        except ValidationError as problem:
            # The session speaks of the row's field; what the client sent is the value.
            raise validation("$.value", problem.faults[0].message, code=problem.code) from problem
