"""What a pipeline makes of the rows."""

from __future__ import annotations

from typing import Self

from octonet.kernel import aggregate_parse
from octonet.kernel.aggregate import Stage
from octonet.kernel.errors import invalid
from octonet.kernel.operation import Answer, Limits, Query, Request, Result
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Source


class Aggregate(Query, frozen=True, tag="aggregate"):
    """The rows of the last stage, all of them: a pipeline that gives more than a page is refused, not cut."""

    needs = ("stages",)
    result = Result.ROWS

    stages: tuple[Stage, ...]
    limit: int

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, schemas: Schemas, limits: Limits) -> Self:
        return cls(schema.name, aggregate_parse.parse(schema, request.stages), limits.maximum_page)

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        rows = await source.aggregate(schema, self.stages, self.limit + 1)
        if len(rows) > self.limit:
            sentence = f"the pipeline gives more than {self.limit} rows: end it with a smaller $limit"
            raise invalid("$.stages", sentence, code="TOO_MANY_ROWS")
        return Answer(rows=rows, count=len(rows))
