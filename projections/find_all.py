"""A page of rows."""

from __future__ import annotations

from typing import Self

from octonet.kernel.operation import Answer, Limits, Query, Request, Result
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Source
from projections.engine.page import Reading, parse, read


class FindAll(Query, frozen=True, tag="findAll"):
    """The rows that match, a page at a time; the cursor leads to the next."""

    takes = ("filter", "options", "relations")
    looks_back = True
    result = Result.ROWS

    reading: Reading

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, schemas: Schemas, limits: Limits) -> Self:
        return cls(schema.name, parse(request, schema, limits))

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        rows, cursor = await read(source, schema, schemas, self.reading)
        return Answer(rows=rows, count=len(rows), cursor=cursor)
