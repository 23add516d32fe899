"""Streams of rows: pages of one query, each behind the one before, the next being read while one is sent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Final

import msgspec
import pyarrow as pa
from msgspec import structs

from octonet.kernel.errors import Conflict, invalid
from octonet.kernel.ids import JsonValue, ProjectName, Row
from octonet.kernel.not_taken import refuse_more
from octonet.kernel.operation import Answer, Raw, Request
from octonet.kernel.schema import ID, EntitySchema, Schemas
from octonet.kernel.storage import Source
from octonet.project import Project
from projections.engine.page import reading_of
from projections.find_all import FindAll
from projections.search import Search
from transports.engine.arrow.call import Call
from transports.engine.arrow.columns import Columns
from transports.engine.arrow.wishes import no_entity

_FIRST: Final = 1000
"""Rows of the first batch. Those that follow are as large as their bytes allow: each is read and sent as one."""
_LEAST: Final = 100
_MOST: Final = 4000
_BYTES: Final = 512 * 1024
_UNLIMITED: Final = 1 << 53


class Scan:
    """All rows that one query finds, checked and ready. Raises as `Gateway.execute` does when it is made."""

    def __init__(self, call: Call, project: ProjectName, request: Request, most: int | None = None) -> None:
        request, limit = _without_limit(request)
        self._call = call
        self._request = request
        prepared = call.gateway.prepare(project, request, call.who)
        if prepared is None or not isinstance(prepared.query, FindAll | Search):
            raise no_entity(request.entity)
        refuse_more(type(prepared.query), request)
        if prepared.query.reading.options.after is not None:
            raise invalid("$.options.after", "is for pages: a stream has none", code="INVALID_OPTIONS")
        self._prepared = prepared
        self._query: FindAll | Search = prepared.query
        self._left = min(_UNLIMITED if limit is None else limit, _UNLIMITED if most is None else most)
        self.columns = Columns(prepared.schema, self._query.reading.options)

    @property
    def home(self) -> Project:
        """The project."""
        return self._prepared.home

    @property
    def schema(self) -> EntitySchema:
        """The entity."""
        return self._prepared.schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in the order asked for. Raises as the gateway does, and `Conflict` with code SCHEMA_CHANGED when
        the entity was changed on the way."""
        asked, size = min(_FIRST, self._left), _FIRST
        ahead: Future[list[Row]] | None = self._call.start(self._page(None, asked))
        try:
            while ahead is not None:
                rows = self._call.wait(ahead)
                self._left -= len(rows)
                more = len(rows) == asked and self._left > 0
                asked = min(size, self._left)
                ahead = self._call.start(self._page(self._end(rows), asked)) if more else None
                if rows:
                    batch = self.columns.batch(rows)
                    size = min(max(len(rows) * _BYTES // max(batch.nbytes, 1), _LEAST), _MOST)
                    yield batch
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _page(self, after: tuple[JsonValue, ...] | None, size: int) -> list[Row]:
        call, prepared, found = self._call, self._prepared, self._query.reading
        if not call.gateway.is_current(prepared):
            raise Conflict("the project was changed while its rows were sent: ask again", code="SCHEMA_CHANGED")
        if self._request.min_position is not msgspec.UNSET and prepared.as_of is None:
            await call.gateway.reach(prepared.home, self._request.min_position)
        options = found.options if after is None else structs.replace(found.options, after=after, skip=0)
        # A page asks for one row more than its limit.
        page = _Whole(prepared.schema.name, reading_of(prepared.schema, found.where, options, (), size - 1))
        async with call.bridge.reading:
            read = await call.gateway.ask(structs.replace(prepared, query=page), call.who)
        return read.answer.rows or []

    def _end(self, rows: list[Row]) -> tuple[JsonValue, ...]:
        last = rows[-1]
        return (*(last[order.column] for order in self._query.reading.options.sort), last[ID])


class _Whole(FindAll, frozen=True, tag="findAll"):
    """A page of which nothing is left out that was fetched: the next one may begin behind it."""

    async def answer(self, source: Source, schema: EntitySchema, schemas: Schemas) -> Answer:
        return Answer(rows=await source.select(schema, self.reading.page))


def _without_limit(request: Request) -> tuple[Request, int | None]:
    """The request with no limit for a page, and how many rows it wants; None for all. Zero is no limit, as in pages."""
    options: Raw = request.options
    if not isinstance(options, dict) or "limit" not in options:
        return request, None
    limit = options["limit"]
    rest = {name: value for name, value in options.items() if name != "limit"}
    if limit is None:
        return structs.replace(request, options=rest), None
    if type(limit) is not int or limit < 0 or limit > _UNLIMITED:
        raise invalid("$.options.limit", "must be a whole number, zero or more", code="INVALID_OPTIONS")
    return structs.replace(request, options=rest), limit or None
