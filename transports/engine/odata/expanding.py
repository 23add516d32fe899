"""Rows of other entities inside the rows of an answer: one query for each relation and level, never one a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from octonet.kernel.errors import invalid
from octonet.kernel.faults import did_you_mean, quote
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import ID, RelationKind
from transports.engine.odata import options as parsing
from transports.engine.odata.address import spelled
from transports.engine.odata.call import Call
from transports.engine.odata.listing import conditions, expansions, selection, shaped, sort
from transports.engine.odata.model import Entity, Navigation
from transports.engine.odata.options import Expansion

_DEEPEST: Final = 8


class _Found(msgspec.Struct, frozen=True):
    """Rows of a target: as they were read, and as they are told."""

    raw: list[Row]
    told: list[Row]


def check(call: Call, entity: Entity, asked: tuple[Expansion, ...], depth: int = 1) -> None:
    """Refuse what is wrong with expansions, whether or not there will be rows to expand. Raises `Invalid`, codes
    UNKNOWN_RELATION, UNKNOWN_FIELD, TOO_DEEP, and a 501."""
    for expansion in expansions(entity, asked):
        navigation = _navigation(entity, expansion, depth)
        target = call.model.target(navigation)
        selection(call, target, expansion.options, "$expand")
        conditions(call, target, expansion.options)
        sort(call, target, expansion.options)
        if expansion.options.levels != 1 and navigation.name not in target.navigations:
            raise invalid("$levels", f"{quote(navigation.name)} leads on to nothing of its own name")
        check(call, target, expansion.options.expand, depth + 1)


def _navigation(entity: Entity, expansion: Expansion, depth: int) -> Navigation:
    navigation = entity.navigations.get(expansion.name)
    if navigation is None:
        near = did_you_mean(expansion.name, entity.navigations)
        message = f"{quote(expansion.name)} is not a navigation property of {entity.schema.name}{near}"
        raise invalid("$expand", message, code="UNKNOWN_RELATION")
    if depth > _DEEPEST:
        raise invalid("$expand", f"is nested more than {_DEEPEST} levels deep", code="TOO_DEEP")
    return navigation


async def expand(
    call: Call, entity: Entity, raw: Sequence[Row], told: Sequence[Row], asked: tuple[Expansion, ...], depth: int = 1
) -> None:
    """Put what the expansions ask for into the rows `told`, which stand beside the rows as they were read."""
    for expansion in expansions(entity, asked):
        navigation = _navigation(entity, expansion, depth)
        expansion = _repeated(call, navigation, expansion, depth)  # noqa: PLW2901
        if navigation.relation.owns_column:
            await _one(call, entity, navigation, expansion, raw, told, depth)
        else:
            await _many(call, entity, navigation, expansion, raw, told, depth)


def _repeated(call: Call, navigation: Navigation, expansion: Expansion, depth: int) -> Expansion:
    """$levels: the same again below, as long as the rows lead on in the same way."""
    left = expansion.options.levels or parsing.DEEPEST
    if left <= 1:
        return expansion
    if depth >= _DEEPEST:
        return msgspec.structs.replace(expansion, options=msgspec.structs.replace(expansion.options, levels=1))
    again = msgspec.structs.replace(expansion, options=msgspec.structs.replace(expansion.options, levels=left - 1))
    others = tuple(e for e in expansion.options.expand if e.name != expansion.name)
    inner = msgspec.structs.replace(expansion.options, expand=(*others, again), levels=1)
    return msgspec.structs.replace(expansion, options=inner)


async def _one(
    call: Call,
    entity: Entity,
    navigation: Navigation,
    expansion: Expansion,
    raw: Sequence[Row],
    told: Sequence[Row],
    depth: int,
) -> None:
    column = navigation.relation.column
    ids = sorted({key for row in raw if isinstance(key := row[column], str)})
    found = await _fetch(call, navigation, expansion, {ID: {"$in": ids}}, len(ids), depth) if ids else _Found([], [])
    by_id = {str(row[ID]): each for row, each in zip(found.raw, found.told, strict=True)}
    for row, each in zip(raw, told, strict=True):
        each[navigation.name] = cast("JsonValue", by_id.get(str(row[column])))


async def _many(
    call: Call,
    entity: Entity,
    navigation: Navigation,
    expansion: Expansion,
    raw: Sequence[Row],
    told: Sequence[Row],
    depth: int,
) -> None:
    relation = navigation.relation
    most = call.home.limits.maximum_page
    if relation.kind is RelationKind.ONE_TO_MANY:
        where: dict[str, object] = {relation.column: {"$in": [row[ID] for row in raw]}}
        found = await _fetch(call, navigation, expansion, where, most, depth) if raw else _Found([], [])
        families: dict[str, list[Row]] = {}
        for row, each in zip(found.raw, found.told, strict=True):
            families.setdefault(str(row[relation.column]), []).append(each)
        groups = [families.get(str(row[ID]), []) for row in raw]
    else:
        links = [{str(id) for id in cast("list[JsonValue]", row[relation.name])} for row in raw]
        ids = sorted(set().union(*links))
        found = await _fetch(call, navigation, expansion, {ID: {"$in": ids}}, most, depth) if ids else _Found([], [])
        at = {str(row[ID]): place for place, row in enumerate(found.raw)}
        groups = [[found.told[place] for place in sorted(at[id] for id in own if id in at)] for own in links]
    for each, group in zip(told, groups, strict=True):
        _put(call, each, navigation.name, expansion, group)


def _put(call: Call, row: Row, name: str, expansion: Expansion, group: list[Row]) -> None:
    options = expansion.options
    if options.count or expansion.count:
        row[f"{name}@odata.count"] = call.number(len(group))
    if expansion.count:
        return
    end = None if options.top is None else options.skip + options.top
    row[name] = cast("JsonValue", [dict(each) for each in group[options.skip : end]])


async def _fetch(
    call: Call, navigation: Navigation, expansion: Expansion, where: dict[str, object], most: int, depth: int
) -> _Found:
    """The rows of the target that belong to any of the rows, in the order asked for."""
    target = call.model.target(navigation)
    options = expansion.options
    if navigation.relation.select and not options.select:
        names = [target.by_column[c].name for c in navigation.relation.select if c in target.by_column]
        options = msgspec.structs.replace(options, select=tuple(names))
    chosen = selection(call, target, options, "$expand")
    asked: dict[str, object] = {"limit": most, "versions": True}
    if order := sort(call, target, options):
        asked["sort"] = order
    if chosen.columns:
        asked["select"] = list(dict.fromkeys([*chosen.columns, *_needed(navigation)]))
    tree = await call.resolved(conditions(call, target, options, where))
    answer = (await call.read("findAll", target, filter=tree, options=asked)).answer
    if answer.cursor is not None:
        sentence = f"{navigation.name} brings more than {most} rows to this page: ask for a smaller page"
        raise invalid("$expand", sentence, code="TOO_MANY_ROWS")
    raw = answer.rows or []
    if expansion.reference:
        return _Found(raw, [{"@odata.id": spelled(target, str(row[ID]))} for row in raw])
    told = shaped(call, target, chosen, raw)
    if options.expand:
        await expand(call, target, raw, told, options.expand, depth + 1)
    return _Found(raw, told)


def _needed(navigation: Navigation) -> tuple[str, ...]:
    relation = navigation.relation
    return (relation.column,) if relation.kind is RelationKind.ONE_TO_MANY else ()
