"""The first row that matches."""

from __future__ import annotations

from typing import Self

from msgspec import structs

from octonet.kernel.operation import Answer, Limits, Query, Request
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Source
from projections.engine.page import Reading, finish, parse


class FindOne(Query, frozen=True, tag="findOne"):
    """One row, or null."""

    takes = ("filter", "options", "relations")
    looks_back = True

    reading: Reading

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, schemas: Schemas, limits: Limits) -> Self:
        return cls(schema.name, parse(request, schema, limits))

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        rows = await source.select(schema, structs.replace(self.reading.page, limit=1))
        return Answer(row=next(iter(await finish(source, schema, schemas, self.reading, rows)), None))
