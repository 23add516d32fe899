"""Change some columns of every row that matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import msgspec

from commands.engine.members import required_data, sweeping_filter
from octonet.kernel.filter import Filter
from octonet.kernel.ids import Row
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Result, Session
from octonet.kernel.schema import EntitySchema
from octonet.kernel.values import change


class UpdateMany(Command, frozen=True, tag="updateMany"):
    """All or nothing, one fact per row that differs. Every row only when the caller says so."""

    needs = ("filter", "data")
    takes = ("options",)
    result = Result.COUNT

    filter: Filter
    data: Row

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        return cls(schema.name, sweeping_filter(request, schema), change(schema, required_data(request)))

    def sealed(self, seal: Callable[[Row], Row]) -> Self:
        return msgspec.structs.replace(self, data=seal(self.data))

    def mentions(self) -> Row:
        return self.data

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        ids = await session.match(schema, self.filter)
        await session.prefetch(schema, ids)
        for id in ids:
            await session.update(schema, id, self.data)
        return Decided(count=len(ids))
