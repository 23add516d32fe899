"""Add to a number without reading it first."""

from __future__ import annotations

from typing import Self

from commands.engine.members import exact_number, required_amount, required_field, required_id, required_row
from octonet.kernel.errors import validation
from octonet.kernel.ids import EntityId
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Session
from octonet.kernel.schema import EntitySchema
from octonet.kernel.values import number_field


class Increment(Command, frozen=True, tag="increment"):
    """Null counts as 0. An unknown id is rejected: there is nothing to add to."""

    needs = ("id", "field", "amount")
    takes = ("relations",)

    id: EntityId
    field: str
    amount: int | float

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        name = number_field(schema, required_field(request), "$.field")
        return cls(schema.name, required_id(request), name, required_amount(request))

    def touches(self) -> tuple[EntityId, ...]:
        return (self.id,)

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        row = await required_row(session, schema, self.id)
        before = row[self.field] or 0
        if not isinstance(before, int | float):
            raise validation("$.field", f"{self.field!r} does not hold a number")
        total = exact_number(before + self.amount, "$.amount")
        await session.update(schema, self.id, {self.field: total})
        return Decided(id=self.id, count=1)
