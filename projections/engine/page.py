"""Reads one page: what must be fetched to show what was asked for, and where the next page begins."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import structs

from octonet.kernel import cursor, filter_parse, options_parse
from octonet.kernel.errors import invalid
from octonet.kernel.filter import EVERYTHING, And, Filter, Options
from octonet.kernel.ids import Row
from octonet.kernel.operation import Limits, Request
from octonet.kernel.schema import DELETED_AT, ID, VERSION_COLUMN, EntitySchema, Fetch, RelationKind, Schemas
from octonet.kernel.storage import Page, Source
from projections.engine.populate import populate


class Reading(msgspec.Struct, frozen=True):
    """What a query shows of each row, and how it finds the rows."""

    where: Filter
    options: Options
    relations: tuple[str, ...]
    limit: int
    page: Page
    """What the source is asked for, made once: a query that is asked again asks with the very same page."""


def parse(request: Request, schema: EntitySchema, limits: Limits) -> Reading:
    """The filter, options and relations of a request. A page larger than the configured one is refused."""
    where = filter_parse.parse(schema, request.filter)
    options = seeing_deleted(schema, where, options_parse.parse(schema, request.options))
    limit = limits.default_page if options.limit is None else options.limit
    if limit > limits.maximum_page:
        sentence = f"a page has at most {limits.maximum_page} rows: go on with the cursor"
        raise invalid("$.options.limit", sentence, code="LIMIT_TOO_LARGE")
    return reading_of(schema, where, options, options_parse.relations(schema, request.relations), limit)


def reading_of(
    schema: EntitySchema, where: Filter, options: Options, relations: tuple[str, ...], limit: int
) -> Reading:
    """The reading of these parts. One row more than the limit is fetched: it tells whether a cursor follows."""
    sought = where
    if options.after is not None:
        behind = cursor.after(options.sort, options.after)
        sought = behind if where == EVERYTHING else And((where, behind))
    page = Page(sought, fetching(schema, options, relations), limit + 1)
    return Reading(where, options, relations, limit, page)


def seeing_deleted(schema: EntitySchema, where: Filter, options: Options) -> Options:
    """A filter that speaks of deletedAt wants to see deleted rows."""
    if schema.soft_delete and not options.include_deleted and filter_parse.mentions(where, DELETED_AT):
        return structs.replace(options, include_deleted=True)
    return options


def eager(schema: EntitySchema, options: Options) -> tuple[str, ...]:
    """The relations that findById populates unasked, as far as the options do not leave them out."""
    shown = shown_names(schema, options)
    lasting = (r for r in schema.relations.values() if r.fetch is Fetch.EAGER)
    return tuple(r.name for r in lasting if not shown or (r.column if r.owns_column else r.name) in shown)


async def read(
    source: Source, schema: EntitySchema, schemas: Schemas, reading: Reading
) -> tuple[list[Row], str | None]:
    """A whole page, and the cursor when more rows follow."""
    rows = await source.select(schema, reading.page)
    token = None
    if len(rows) > reading.limit:
        del rows[reading.limit :]
        last = rows[-1]
        token = cursor.encode((*(last[order.column] for order in reading.options.sort), last[ID]))
    return await finish(source, schema, schemas, reading, rows), token


async def finish(
    source: Source, schema: EntitySchema, schemas: Schemas, reading: Reading, rows: list[Row]
) -> list[Row]:
    """Populate fetched rows, then drop what was fetched only for that."""
    if reading.relations:
        await populate(source, schemas, schema, rows, reading.relations)
    shown = shown_names(schema, reading.options)
    if not shown:
        return rows
    names = shown.union(reading.relations)
    if reading.options.versions:
        names |= {VERSION_COLUMN}
    return [{name: value for name, value in row.items() if name in names} for row in rows]


def fetching(schema: EntitySchema, options: Options, relations: tuple[str, ...]) -> Options:
    """The options for the source: enough columns to sort, to populate by and to make a cursor of. The cursor that
    came is a condition on the rows by now."""
    shown = shown_names(schema, options)
    needed = sorted({*shown, *_needed(schema, options, relations)}) if shown else ()
    return structs.replace(options, select=tuple(needed), exclude=(), limit=None, after=None)


def shown_names(schema: EntitySchema, options: Options) -> frozenset[str]:
    """What each row shows when the options narrow it; empty when they do not."""
    if not options.select and not options.exclude:
        return frozenset()
    columns = (name for name, column in schema.columns.items() if not column.secret)
    every = (*columns, *(link.name for link in schema.links))
    return frozenset(options.select or every).difference(options.exclude) | {ID}


def _needed(schema: EntitySchema, options: Options, relations: tuple[str, ...]) -> Iterable[str]:
    yield from (order.column for order in options.sort)
    for name in relations:
        relation = schema.relations[name]
        if relation.owns_column:
            yield relation.column
        elif relation.kind is RelationKind.MANY_TO_MANY:
            yield name
