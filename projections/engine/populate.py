"""Puts related rows where their ids stand: one query per relation and page, never one per row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.filter import In, Options
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import ID, EntitySchema, Relation, RelationKind, Schemas
from octonet.kernel.storage import Page, Source

MOST_RELATED: Final = 1000
"""Rows that one to-many relation may bring to one page."""
_PATH: Final = "$.relations"


class Wish(msgspec.Struct, frozen=True):
    """One relation to populate on one page."""

    source: Source
    relation: Relation
    target: EntitySchema

    async def fetch(self, column: str, values: Sequence[str], limit: int) -> list[Row]:
        """Rows of the target whose column is one of the values."""
        if not values:
            return []
        select = (*self.relation.select, column) if self.relation.select else ()
        return await self.source.select(
            self.target, Page(In(column, tuple(values)), Options(select=tuple(dict.fromkeys(select))), limit)
        )


async def populate(
    source: Source, schemas: Schemas, schema: EntitySchema, rows: Sequence[Row], relations: Iterable[str]
) -> None:
    """Change the rows in place: an object or null under the name of a to-one relation, a list of rows under that of
    a to-many. The rows must hold the foreign keys and links. Raises `Invalid`, code TOO_MANY_ROWS."""
    if not rows:
        return
    for name in relations:
        relation = schema.relations[name]
        wish = Wish(source, relation, schemas.entities[relation.target])
        if relation.owns_column:
            await _one(wish, rows)
        elif relation.kind is RelationKind.ONE_TO_MANY:
            await _children(wish, rows)
        else:
            await _linked(wish, rows)


async def _one(wish: Wish, rows: Sequence[Row]) -> None:
    relation = wish.relation
    keys = sorted({key for row in rows if isinstance(key := row[relation.column], str)})
    found = _by_id(await wish.fetch(ID, keys, len(keys)))
    for row in rows:
        key = row[relation.column]
        row[relation.name] = found.get(key) if isinstance(key, str) else None


async def _children(wish: Wish, rows: Sequence[Row]) -> None:
    relation = wish.relation
    owners = [str(row[ID]) for row in rows]
    children = await wish.fetch(relation.column, owners, MOST_RELATED + 1)
    if len(children) > MOST_RELATED:
        raise _too_many(relation)
    families: dict[JsonValue, list[JsonValue]] = {owner: [] for owner in owners}
    hidden = bool(relation.select) and relation.column not in relation.select
    for child in children:
        parent = child.pop(relation.column) if hidden else child[relation.column]
        families[parent].append(child)
    for row in rows:
        row[relation.name] = families[row[ID]]


async def _linked(wish: Wish, rows: Sequence[Row]) -> None:
    name = wish.relation.name
    links = [_ids(row[name]) for row in rows]
    keys = sorted({key for ids in links for key in ids})
    if len(keys) > MOST_RELATED:
        raise _too_many(wish.relation)
    found = _by_id(await wish.fetch(ID, keys, len(keys)))
    for row, ids in zip(rows, links, strict=True):
        row[name] = [found[key] for key in ids if key in found]


def _by_id(rows: Iterable[Row]) -> dict[str, Row]:
    return {str(row[ID]): row for row in rows}


def _ids(value: JsonValue) -> list[str]:
    return [key for key in value if isinstance(key, str)] if isinstance(value, list) else []


def _too_many(relation: Relation) -> Invalid:
    sentence = f"{relation.name} brings more than {MOST_RELATED} rows to this page: ask for a smaller page"
    return invalid(_PATH, f"{sentence}, or query {relation.target} itself", code="TOO_MANY_ROWS")
