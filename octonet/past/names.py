"""By which names the log knows the rows of an entity: one that was renamed keeps its rows, and its facts keep the name
of their time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import structs

from octonet.kernel import schema_parse
from octonet.kernel.position import Position
from octonet.kernel.schema import Column, EntitySchema, Schemas
from octonet.past.place import place

_NEVER: Final = 1 << 62


class Change(msgspec.Struct, frozen=True):
    """From this entry on the rows followed this schema file. `dropped`: what it gave up was removed for good."""

    entry: int
    dropped: bool
    source: str

    @property
    def schemas(self) -> Schemas:
        """The entities of then."""
        return _parsed(self.source)


class Span(msgspec.Struct, frozen=True):
    """Between two places, both included, facts about the entity were written under this name."""

    name: str
    first: int
    last: int


def spans(schemas: Schemas, changes: Sequence[Change], entity: str, at: int) -> list[Span]:
    """Where the rows of an entity of today are found, up to a place: the newest span first. `changes`: the newest
    first.

    An entity is followed back from change to change. Where that leads to none that was there at the place, but one of
    its name was, it is that one: it gave its name away meanwhile, and took it back.
    """
    then = next((index for index, change in enumerate(changes) if place(Position(change.entry)) <= at), len(changes))
    found = _followed(schemas, changes, entity, at)
    there = changes[then].schemas.entities if then < len(changes) else {}
    if entity in there and not any(span.first <= at <= span.last and span.name in there for span in found):
        return _followed(schemas, changes[then:], entity, at)
    return found


def _followed(schemas: Schemas, changes: Sequence[Change], entity: str, at: int) -> list[Span]:
    found: list[Span] = []
    name, newer, collection, end = entity, schemas, schemas.entities[entity].collection, _NEVER
    for change in changes:
        begin, then = place(Position(change.entry)), change.schemas
        if end <= at and _gave_its_rows_away(then, newer, name):
            return found
        # Whoever took a collection over that had belonged to nobody for a while began without rows; seen from before
        # that while it is renamed.
        if name not in then.entities and (name in newer.entities or end > at):
            name = _only_in(then, newer, collection) or name
        known = then.entities.get(name)
        if known is None and change.dropped and begin <= at:
            return found
        collection = collection if known is None else known.collection
        _add(found, Span(name, begin, min(at, end - 1)))
        newer, end = then, begin
    _add(found, Span(name, 0, min(at, end - 1)))
    return found


def changed(changes: Sequence[Change], schema: EntitySchema, entry: int, at: int) -> list[tuple[EntitySchema, bool]]:
    """What an entity of today looked like when a fact was written, in this entry, and after each change from there to a
    place, in order; and whether what it gave up by a change was removed for good."""
    since = next((change.entry for change in changes if change.entry < entry), 0)
    found = [c for c in changes if c.entry >= since and (c.entry < entry or place(Position(c.entry)) <= at)]
    looks = ((c.schemas.entities.get(schema.name) or c.schemas.find(schema.collection), c.dropped) for c in found[::-1])
    return [(known, dropped) for known, dropped in looks if known is not None]


def stood(changes: Sequence[Change], schema: EntitySchema, entry: int) -> dict[str, Column]:
    """The columns that the table of an entity of today had when a fact was written, in this entry: those of its schema
    of then, and those that it had given up before without their being removed for good."""
    found: dict[str, Column] = {}
    for change in reversed([change for change in changes if change.entry < entry]):
        known = change.schemas.entities.get(schema.name) or change.schemas.find(schema.collection)
        if change.dropped:
            found = {} if known is None else dict(known.columns)
        elif known is not None:
            found = standing(found, known.columns)
    return found


def standing(before: Mapping[str, Column], columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns of a table whose entity has these now. What it gave up stays, and refuses no nulls any more."""
    given_up = {name: structs.replace(old, nullable=True) for name, old in before.items() if name not in columns}
    return {**given_up, **columns}


def _only_in(these: Schemas, those: Schemas, collection: str) -> str:
    """The name of the entity of a collection that the one has and the other has not: what was renamed, or what it is
    called now. Empty where there is none."""
    same = (entity.name for entity in these.entities.values() if entity.collection == collection)
    return next((name for name in same if name not in those.entities), "")


def _gave_its_rows_away(then: Schemas, newer: Schemas, name: str) -> bool:
    """Whether the entity of this name was given another one."""
    known = then.entities.get(name)
    return known is not None and name not in newer.entities and bool(_only_in(newer, then, known.collection))


def _add(found: list[Span], span: Span) -> None:
    if span.first > span.last:
        return
    if found and found[-1].name == span.name and found[-1].first == span.last + 1:
        found[-1] = Span(span.name, span.first, found[-1].last)
    else:
        found.append(span)


@lru_cache(maxsize=64)
def _parsed(source: str) -> Schemas:
    return schema_parse.parse(source)
