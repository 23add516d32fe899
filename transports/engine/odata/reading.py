"""GET: rows, lists of rows, values, counts and references."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.kernel.errors import VersionMismatch, invalid
from octonet.kernel.operation import Request
from octonet.kernel.schema import ID, VERSION_COLUMN
from octonet.transport import Reply
from transports.engine.conditions import etag
from transports.engine.odata import delta
from transports.engine.odata import options as parsing
from transports.engine.odata.address import Address, spelled
from transports.engine.odata.aggregating import aggregated
from transports.engine.odata.call import Call
from transports.engine.odata.conditions import Tree, lookups
from transports.engine.odata.expanding import check, expand
from transports.engine.odata.expression import calls
from transports.engine.odata.listing import (
    Plan,
    applied_page,
    conditions,
    members,
    next_link,
    page_size,
    plan,
    selection,
    shaped,
)
from transports.engine.odata.locating import Place, absent, locate
from transports.engine.odata.model import Entity
from transports.engine.odata.negotiation import accepts_text
from transports.engine.odata.options import Options

_LIST: Final = frozenset(
    ("filter", "search", "orderby", "select", "expand", "top", "skip", "count", "format", "skiptoken", "deltatoken",
     "apply", "id")
)  # fmt: skip
_ONE: Final = frozenset(("select", "expand", "format"))
_COUNT: Final = frozenset(("filter", "search", "format"))
_VALUE: Final = frozenset(("format",))
_UNCHANGED: Final = 304


async def read(call: Call, address: Address) -> tuple[Reply, Plan | None]:
    """The answer to a GET, and the plan for its next time where there can be one."""
    if address.held is not None:
        parsing.parse(call.query, _VALUE)
        return await _value(call, address), None
    if address.tail == "$count":
        return await _count(call, await locate(call, address)), None
    if address.single:
        place = await locate(call, address)
        if address.tail == "$ref":
            parsing.parse(call.query, _VALUE)
            return _reference(call, place), None
        return await _one(call, place), None
    return await _list(call, address)


async def _one(call: Call, place: Place) -> Reply:
    options = parsing.parse(call.query, _ONE)
    entity = place.entity
    if place.id is None:
        return call.empty()
    chosen = selection(call, entity, options)
    check(call, entity, options.expand)
    asked: dict[str, object] = {"versions": True}
    if chosen.columns:
        asked["select"] = list(chosen.columns)
    row = (await call.read("findOne", entity, filter={ID: place.id}, options=asked)).answer.row
    if row is None:
        raise absent(entity, place.id)
    headers = {"ETag": etag(int(str(row[VERSION_COLUMN])))}
    wanted = call.incoming.headers.get("if-match", "*").strip()
    if wanted != "*" and headers["ETag"] not in [each.strip() for each in wanted.split(",")]:
        raise VersionMismatch(f"{entity.schema.name} {place.id} is at another version")
    if _matches(call, headers["ETag"]) and not options.expand:
        return Reply(b"", _UNCHANGED, call.headers(headers))
    told = shaped(call, entity, chosen, [row])
    if options.expand:
        await expand(call, entity, [row], told, options.expand)
    context = call.context(f"{entity.set}{chosen.fragment}/$entity")
    return call.json({**context, **told[0]}, headers=headers)


def _matches(call: Call, tag: str) -> bool:
    given = call.incoming.headers.get("if-none-match", "")
    return bool(given) and (
        given.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in given.split(",")]
    )


async def _list(call: Call, address: Address) -> tuple[Reply, Plan | None]:
    options = parsing.parse(call.query, _LIST)
    if "if-match" in call.incoming.headers:
        raise invalid("If-Match", "is a condition on one row", code="UNKNOWN_MEMBER")
    if options.id is not None:
        raise invalid("?$id", "names the reference that a DELETE is about", code="UNKNOWN_PARAMETER")
    if options.deltatoken is not None and options.skiptoken is None:
        return await delta.changes(call, _whole_set(address), options), None
    place = await locate(call, address)
    if options.apply is not None:
        return await aggregated(call, place, options), None
    if address.tail == "$ref":
        return await _references(call, place, options), None
    entity = place.entity
    tree = conditions(call, entity, options, place.where)
    if (call.wishes.track or options.deltatoken is not None) and place.where is None:
        tracked = await _tracked(call, entity, options, tree)
        if tracked is not None:
            return tracked, None
    chosen = selection(call, entity, options)
    if place.where is None and _lasts(options, tree):
        wish = Request("findAll", entity.schema.name, **members(call, entity, options, tree, chosen))
        prepared = call.gateway.prepare(call.project, wish, call.who)
        assert prepared is not None
        made = plan(call, entity, options, chosen, prepared)
        return made.answer(await call.gateway.ask(prepared, call.who)), made
    told = await page(call, entity, options, await call.resolved(tree))
    context = call.context(entity.set + chosen.fragment)
    return call.json({**context, **told}, headers=applied_page(call)), None


def _lasts(options: Options, tree: Tree) -> bool:
    """Whether the same words will always come to the same query."""
    more = options.count or options.expand or options.top == 0
    return not (more or lookups(tree) or calls(options.filter, "now"))


async def _tracked(call: Call, entity: Entity, options: Options, tree: Tree) -> Reply | None:
    """A page that ends in a delta link, or leads on to the page that does; None where changes cannot be tracked, which
    is not what a client must have."""
    if not delta.can_track(options, tree):
        return None
    token = await delta.start(call, options)
    told = await page(call, entity, options, tree)
    following = told.get("@odata.nextLink")
    if isinstance(following, str):
        known = options.deltatoken is not None
        told["@odata.nextLink"] = following if known else f"{following}&$deltatoken={token}"
    else:
        told["@odata.deltaLink"] = delta.link(call, token)
    context = call.context(entity.set + selection(call, entity, options).fragment)
    return call.json({**context, **told}, headers=delta.APPLIED)


def _whole_set(address: Address) -> Entity:
    if address.steps or address.tail:
        raise invalid("Prefer", "changes are tracked of whole sets only", code="NOT_TRACKED")
    return address.entity


async def page(call: Call, entity: Entity, options: Options, tree: Tree) -> dict[str, object]:
    """One page with all that was asked for beside its rows."""
    check(call, entity, options.expand)
    chosen = selection(call, entity, options)
    asked = members(call, entity, options, tree, chosen)
    told: dict[str, object] = {}
    if options.count:
        where = {"filter": tree} if tree else {}
        total = (await call.read("count", entity, **where)).answer.count
        told["@odata.count"] = call.number(total or 0)
    size = page_size(call, options)
    if size == 0:
        return {**told, "value": []}
    answer = (await call.read("findAll", entity, **asked)).answer
    raw = answer.rows or []
    rows = shaped(call, entity, chosen, raw)
    if options.expand:
        await expand(call, entity, raw, rows, options.expand)
    told["value"] = rows
    link = next_link(call.path, call.query, options, size, answer.cursor)
    return {**told, "@odata.nextLink": link} if link else told


async def _count(call: Call, place: Place) -> Reply:
    options = parsing.parse(call.query, _COUNT)
    accepts_text(call.incoming.headers.get("accept", ""))
    tree = await call.resolved(conditions(call, place.entity, options, place.where))
    where = {"filter": tree} if tree else {}
    found = (await call.read("count", place.entity, **where)).answer.count
    return Reply(b"%d" % (found or 0), 200, call.headers(), "text/plain;charset=utf-8")


async def _value(call: Call, address: Address) -> Reply:
    held = address.held
    assert held is not None
    place = await locate(call, msgspec.structs.replace(address, held=None, tail=""))
    entity = place.entity
    if place.id is None:
        return call.empty()
    row = await call.row(entity, place.id, [held.column])
    if row is None:
        raise absent(entity, place.id)
    headers = {"ETag": etag(int(str(row[VERSION_COLUMN])))}
    value = row[held.column]
    if value is None:
        return call.empty(headers)
    if address.tail != "$value":
        context = call.context(f"{spelled(entity, place.id)}/{held.name}")
        return call.json({**context, "value": value}, headers=headers)
    if isinstance(value, dict | list):
        raise invalid("$value", f"{held.name} holds more than one plain value", code="NOT_A_VALUE")
    text = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    accepts_text(call.incoming.headers.get("accept", ""))
    return Reply(text, 200, call.headers(headers), "text/plain;charset=utf-8")


def _reference(call: Call, place: Place) -> Reply:
    if place.id is None:
        return call.empty()
    return call.json({**call.context("$ref"), "@odata.id": spelled(place.entity, place.id)})


async def _references(call: Call, place: Place, options: Options) -> Reply:
    entity = place.entity
    only = msgspec.structs.replace(options, select=(ID,), expand=())
    told: dict[str, object] = await page(
        call, entity, only, await call.resolved(conditions(call, entity, options, place.where))
    )
    rows = told["value"]
    assert isinstance(rows, list)
    told["value"] = [{"@odata.id": spelled(entity, str(row[ID]))} for row in rows]
    return call.json({**call.context("Collection($ref)"), **told})
