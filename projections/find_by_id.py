"""One row by its id."""

from __future__ import annotations

from typing import Self

import msgspec

from octonet.kernel import options_parse
from octonet.kernel.errors import invalid
from octonet.kernel.filter import EVERYTHING
from octonet.kernel.ids import EntityId
from octonet.kernel.operation import Answer, Limits, Query, Request
from octonet.kernel.schema import EntitySchema, Schemas
from octonet.kernel.storage import Source
from octonet.kernel.values import entity_id
from projections.engine.page import Reading, eager, finish, reading_of

_PLAIN = "find_by_id.plain"


class FindById(Query, frozen=True, tag="findById"):
    """One row, or null; eager relations are populated unasked."""

    needs = ("id",)
    takes = ("options", "relations")
    looks_back = True

    id: EntityId
    reading: Reading

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, schemas: Schemas, limits: Limits) -> Self:
        if request.id is msgspec.UNSET or request.id is None or request.id == "":
            raise invalid("$.id", "is missing", code="MISSING_ID")
        plain = request.options is msgspec.UNSET and request.relations is msgspec.UNSET
        reading = _plain(schema) if plain else _reading(schema, request)
        return cls(schema.name, entity_id(request.id), reading)

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        found = await source.get(schema, self.id, self.reading.page.options)
        if found is None:
            return Answer()
        rows = await finish(source, schema, schemas, self.reading, [found.state])
        return Answer(row=rows[0], version=found.version)


def _reading(schema: EntitySchema, request: Request) -> Reading:
    options = options_parse.parse(schema, request.options)
    asked = options_parse.relations(schema, request.relations)
    relations = tuple(dict.fromkeys((*asked, *eager(schema, options))))
    return reading_of(schema, EVERYTHING, options, relations, 1)


def _plain(schema: EntitySchema) -> Reading:
    """The reading of a request that names nothing but the id, made once for each entity."""
    kept = schema.__dict__.get(_PLAIN)
    if isinstance(kept, Reading):
        return kept
    made = schema.__dict__[_PLAIN] = _reading(schema, Request())
    return made
