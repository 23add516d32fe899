"""Rows that hold a text anywhere."""

from __future__ import annotations

from typing import Final, Self

import msgspec
from msgspec import structs

from octonet.kernel import columns, pattern, values
from octonet.kernel.errors import invalid
from octonet.kernel.filter import Filter, Like, Or
from octonet.kernel.operation import Answer, Limits, Query, Request, Result
from octonet.kernel.schema import EntitySchema, FieldType, Schemas
from octonet.kernel.storage import Source
from projections.engine.page import Reading, parse, read, reading_of

_TEXTUAL: Final = (FieldType.STRING, FieldType.TEXT)
_LONGEST: Final = 256


class Search(Query, frozen=True, tag="search"):
    """The rows in which any of the search fields contains the text, whatever its case."""

    needs = ("query",)
    takes = ("searchFields", "options", "relations")
    result = Result.ROWS

    reading: Reading

    @classmethod
    def parse(cls, request: Request, schema: EntitySchema, schemas: Schemas, limits: Limits) -> Self:
        if request.query is msgspec.UNSET or request.query is None or request.query == "":
            raise invalid("$.query", "is missing", code="MISSING_QUERY")
        text = values.text(request.query, "$.query")
        if len(text) > _LONGEST:
            raise invalid("$.query", f"has more than {_LONGEST} characters")
        names = _fields(schema, request.search_fields)
        parts = pattern.contains(text)
        found: list[Filter] = [Like(name, parts, ignore_case=True) for name in names]
        where = found[0] if len(found) == 1 else Or(tuple(found))
        unfiltered = structs.replace(request, filter=msgspec.UNSET)
        plain = parse(unfiltered, schema, limits)
        return cls(schema.name, reading_of(schema, where, plain.options, plain.relations, plain.limit))

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        rows, cursor = await read(source, schema, schemas, self.reading)
        return Answer(rows=rows, count=len(rows), cursor=cursor)


def _fields(schema: EntitySchema, value: object) -> tuple[str, ...]:
    """The columns to search: those named, or every field of text."""
    path = "$.searchFields"
    scope = columns.of(schema)
    named = [(scope.find(name, place), place) for name, place in columns.names(value, path)]
    for column, place in named:
        if column.type not in _TEXTUAL:
            raise invalid(place, f"{column.name} is of type {column.type}: it holds no text", code=columns.NOT_ALLOWED)
    if named:
        return tuple(dict.fromkeys(column.name for column, _ in named))
    every = tuple(f.name for f in schema.fields.values() if f.type in _TEXTUAL and not f.secret)
    if not every:
        raise invalid(path, f"{schema.name} has no field of text to search in", code="NOT_SEARCHABLE")
    return every
