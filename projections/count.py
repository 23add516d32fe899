"""How many rows match."""

from __future__ import annotations

from typing import Self

from octonet.kernel import filter_parse, options_parse
from octonet.kernel.filter import Filter
from octonet.kernel.operation import Answer, Limits, Query, Request, Result
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Source
from projections.engine.page import seeing_deleted


class Count(Query, frozen=True, tag="count"):
    """A number."""

    takes = ("filter", "options")
    looks_back = True
    result = Result.COUNT

    where: Filter
    include_deleted: bool = False

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, schemas: Schemas, limits: Limits) -> Self:
        where = filter_parse.parse(schema, request.filter)
        options = seeing_deleted(schema, where, options_parse.parse(schema, request.options))
        return cls(schema.name, where, options.include_deleted)

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        found = await source.count(schema, self.where, include_deleted=self.include_deleted)
        return Answer(count=found, total=found)
