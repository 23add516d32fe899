"""Walks an address to the rows that it means."""

from __future__ import annotations

from typing import cast

import msgspec

from octonet.kernel.errors import NotFound
from octonet.kernel.faults import quote
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import ID, RelationKind
from transports.engine.odata.address import Address, Step
from transports.engine.odata.call import Call
from transports.engine.odata.conditions import Tree
from transports.engine.odata.model import Entity, Navigation
from transports.engine.odata.problems import nothing


class Origin(msgspec.Struct, frozen=True):
    """The row that the last navigation of an address starts from."""

    entity: Entity
    id: str
    navigation: Navigation


class Place(msgspec.Struct, frozen=True):
    """Where an address leads: one row, no row, or the rows that meet a condition."""

    entity: Entity
    id: str | None = None
    where: Tree | None = None
    """Of a collection; None for the whole set."""
    origin: Origin | None = None
    collection: bool = False


async def locate(call: Call, address: Address) -> Place:
    """The place. Raises `NotFound` where a row on the way is missing; `id` None where a single navigation leads
    nowhere."""
    if address.key is None:
        return Place(address.entity, collection=True)
    place = Place(address.entity, address.key)
    for step in address.steps:
        place = await _step(call, place, step)
    return place


async def _step(call: Call, place: Place, step: Step) -> Place:
    if place.id is None:
        raise nothing(f"there is no {place.entity.schema.name} on the way")
    entity, navigation = place.entity, step.navigation
    relation, target = navigation.relation, call.model.target(navigation)
    origin = Origin(entity, place.id, navigation)
    if relation.owns_column:
        key = (await existing(call, entity, place.id, [relation.column]))[relation.column]
        return Place(target, str(key) if isinstance(key, str) else None, origin=origin)
    if relation.kind is RelationKind.ONE_TO_MANY:
        if (entity.schema.name, place.id) not in call.coming:
            await existing(call, entity, place.id, [ID])
        where: Tree = {relation.column: place.id}
        if step.key is not None:
            found = await call.read("count", target, filter={**where, ID: step.key})
            return _among(target, step.key, bool(found.answer.count), origin)
        return Place(target, where=where, origin=origin, collection=True)
    row = await existing(call, entity, place.id, [relation.name])
    ids = [str(id) for id in cast("list[JsonValue]", row[relation.name])]
    if step.key is not None:
        return _among(target, step.key, step.key in ids, origin)
    return Place(target, where={ID: {"$in": ids}}, origin=origin, collection=True)


def _among(target: Entity, key: str, there: bool, origin: Origin) -> Place:
    if not there:
        raise absent(target, key)
    return Place(target, key, origin=origin)


async def existing(call: Call, entity: Entity, id: str, columns: list[str]) -> Row:
    """Some columns of a row that must exist. Raises `NotFound`."""
    found = await call.row(entity, id, columns)
    if found is None:
        raise absent(entity, id)
    return found


def absent(entity: Entity, id: str) -> NotFound:
    """404 for a row."""
    return nothing(f"there is no {entity.schema.name} with the id {quote(id)}")
