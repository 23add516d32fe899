"""Change the first row that matches, or add one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

import msgspec

from commands.engine.members import required_data, required_filter
from octonet.kernel.errors import ValidationError
from octonet.kernel.filter import And, Compare, Comparison, Filter
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.operation import Command, Decided, Door, Moment, Request, Session
from octonet.kernel.schema import ID, EntitySchema
from octonet.kernel.values import change, entity_id, new_row


class Upsert(Command, frozen=True, tag="upsert"):
    """An update of the first match in order of id, else a create from the data and the filter's equalities.

    `insert` is the row to add, None when data and filter do not make a whole one: then `refusal` says why, and the
    command is rejected if nothing matches.
    """

    needs = ("filter", "data")
    takes = ("relations",)

    filter: Filter
    id: EntityId
    data: Row
    insert: Row | None = None
    refusal: str = ""

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, door: Door) -> Self:
        where = required_filter(request, schema)
        data = required_data(request)
        equalities = dict(_equalities(where))
        given = data.get(ID, equalities.get(ID))
        id = door.new_id() if given is None else entity_id(given, "$.data.id")
        changed = change(schema, data)
        insert: Row | None = None
        refusal = ""
        try:
            insert = new_row(schema, {**equalities, **data}, door.at)
        except ValidationError as problem:
            refusal = problem.message
        return cls(schema.name, where, id, changed, insert, refusal)

    def sealed(self, seal: Callable[[Row], Row]) -> Self:
        insert = None if self.insert is None else seal(self.insert)
        return msgspec.structs.replace(self, data=seal(self.data), insert=insert)

    def mentions(self) -> Row:
        return self.insert or self.data

    async def decide(self, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        found = await session.match(schema, self.filter, limit=1)
        if found:
            await session.update(schema, found[0], self.data)
            return Decided(id=found[0], count=1)
        if self.insert is None:
            raise ValidationError(f"nothing matches, and a row cannot be added: {self.refusal}")
        await session.create(schema, self.id, self.insert)
        return Decided(id=self.id, count=1)


def _equalities(where: Filter) -> Iterator[tuple[str, JsonValue]]:
    """What any matching row is known to hold."""
    if isinstance(where, Compare) and where.op is Comparison.EQ:
        yield where.column, where.value
    elif isinstance(where, And):
        for part in where.parts:
            yield from _equalities(part)
