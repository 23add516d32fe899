"""Remove every row that matches."""

from __future__ import annotations

from typing import Self

from commands.engine.members import sweeping_filter
from octonet.kernel.filter import Filter
from octonet.kernel.operation import Command, Decided, Door, Family, Moment, Request, Result, Session
from octonet.kernel.schema import EntitySchema


class DeleteMany(Command, frozen=True, tag="deleteMany"):
    """All or nothing, one fact per row. Every row only when the caller says so."""

    needs = ("filter",)
    takes = ("options",)
    result = Result.COUNT
    family = Family.ADMIN

    filter: Filter

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        return cls(schema.name, sweeping_filter(request, schema))

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        ids = await session.match(schema, self.filter)
        await session.prefetch(schema, ids)
        await session.erase(schema, ids)
        return Decided(count=len(ids))
