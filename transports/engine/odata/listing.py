"""Pages of rows: what is asked of the gateway for the options of an address, and how the answer is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from octonet.kernel.ids import Row
from octonet.kernel.operation import Raw
from octonet.kernel.schema import ID
from octonet.reader import Prepared, Read
from octonet.transport import Reply
from transports.engine.odata import searching
from transports.engine.odata.call import Call
from transports.engine.odata.compile import compiled
from transports.engine.odata.conditions import Condition, Tree, all_of
from transports.engine.odata.model import Entity, Property
from transports.engine.odata.options import Expansion, Options
from transports.engine.odata.problems import unsupported
from transports.engine.odata.rows import Shaper, shaper
from transports.engine.odata.scope import Scope

_REPLACED: Final = ("skip", "top", "skiptoken")
_encode = msgspec.json.Encoder().encode


class Selection(msgspec.Struct, frozen=True):
    """Which properties of the rows are shown, and which columns must be read for that."""

    shown: tuple[Property, ...]
    columns: tuple[str, ...]
    """Empty: all."""
    fragment: str
    """As the context of an answer names it."""


def selection(call: Call, entity: Entity, options: Options, option: str = "$select") -> Selection:
    """Of one level. Raises `Invalid`, code UNKNOWN_FIELD."""
    scope = Scope(call.model, entity, option)
    expanded = [e for e in expansions(entity, options.expand)]
    shown = entity.shown
    names = [name for name in options.select if name not in entity.navigations]
    if options.select and "*" not in names:
        chosen = {ID: entity.properties[ID]}
        for name in names:
            found = scope.property(name, 0)
            if found is None or found.secret:
                raise scope.unknown(name, None)
            chosen[found.name] = found
        shown = tuple(found for found in entity.shown if found.name in chosen)
    needed = [entity.navigations[e.name].holder for e in expanded if e.name in entity.navigations]
    columns = (
        ()
        if shown == entity.shown
        else tuple(
            dict.fromkeys([*(p.column for p in shown), *(entity.properties[name].column for name in needed if name)])
        )
    )
    parts = [*options.select, *(f"{e.name}({_inner(call, entity, e)})" for e in expanded)]
    return Selection(shown, columns, f"({','.join(parts)})" if parts else "")


def _inner(call: Call, entity: Entity, expansion: Expansion) -> str:
    navigation = entity.navigations.get(expansion.name)
    if navigation is None or expansion.reference or expansion.count:
        return ""
    target = call.model.target(navigation)
    parts = [*expansion.options.select]
    parts += [f"{e.name}({_inner(call, target, e)})" for e in expansions(target, expansion.options.expand)]
    return ",".join(parts)


def expansions(entity: Entity, asked: tuple[Expansion, ...]) -> tuple[Expansion, ...]:
    """The expansions, each by its name. Raises `Invalid`, code UNKNOWN_RELATION."""
    found = {e.name: e for e in asked if e.name}
    for every in (e for e in asked if not e.name):
        for name in entity.navigations:
            found.setdefault(name, Expansion(name, every.options, every.reference))
    return tuple(found.values())


def conditions(call: Call, entity: Entity, options: Options, base: Tree | None = None) -> Tree:
    """All that a row must meet, as a filter."""
    parts = [Condition(base or {}, False)]
    if options.filter is not None:
        parts.append(compiled(options.filter, Scope(call.model, entity, "$filter")))
    if options.search is not None:
        parts.append(searching.compiled(options.search, entity))
    return all_of(parts).tree


def sort(call: Call, entity: Entity, options: Options) -> dict[str, int]:
    """The terms of $orderby. Raises `Invalid`, and a 501 for those that are not of the row itself."""
    scope = Scope(call.model, entity, "$orderby")
    found: dict[str, int] = {}
    for term in options.orderby:
        names = term.path[1:] if term.path[0] in ("$it", "$this") and len(term.path) > 1 else term.path
        held = scope.property(names[0], term.at)
        if held is None and names[1:] in ((), (ID,)) and entity.navigations[names[0]].holder:
            held = entity.properties[entity.navigations[names[0]].holder]
        elif len(names) > 1:
            scope.navigation(names[0], term.at)
            raise unsupported("$orderby", "to sort by what stands in other rows", term.at)
        if held is None or held.link:
            raise unsupported("$orderby", "to sort by a navigation property", term.at)
        found.setdefault(held.column, -1 if term.descending else 1)
    return found


def page_size(call: Call, options: Options) -> int:
    """Rows of one page."""
    limits = call.home.limits
    if call.wishes.page is not None:
        size = min(call.wishes.page, limits.maximum_page)
    else:
        size = limits.default_page if options.top is None else limits.maximum_page
    return size if options.top is None else min(options.top, size)


def members(call: Call, entity: Entity, options: Options, where: Tree, chosen: Selection) -> dict[str, Raw]:
    """The members of the request for one page."""
    asked: dict[str, Raw] = {"limit": page_size(call, options), "versions": True}
    if order := sort(call, entity, options):
        asked["sort"] = order
    if options.skiptoken is not None:
        asked["after"] = options.skiptoken
    elif options.skip:
        asked["skip"] = options.skip
    if chosen.columns:
        asked["select"] = list(chosen.columns)
    return {"filter": where, "options": asked} if where else {"options": asked}


def next_link(call_path: str, query: str, options: Options, size: int, cursor: str | None) -> str:
    """Where the next page is; empty where there is none."""
    if cursor is None or (options.top is not None and options.top <= size):
        return ""
    pairs = kept_pairs(query, _REPLACED)
    if options.top is not None:
        pairs.append(f"$top={options.top - size}")
    return f"{call_path}?{'&'.join([*pairs, f'$skiptoken={cursor}'])}"


def kept_pairs(query: str, replaced: Sequence[str]) -> list[str]:
    """The options of a query string as they were sent, without those of these names."""
    return [pair for pair in query.split("&") if pair and _name(pair) not in replaced]


def _name(pair: str) -> str:
    return pair.partition("=")[0].replace("%24", "$").lower().removeprefix("$")


class Plan(msgspec.Struct, frozen=True):
    """A page that was asked for before, word for word: nothing of it is worked out again."""

    prepared: Prepared
    shape: Shaper
    start: bytes
    """The JSON text before the rows."""
    path: str
    query: str
    options: Options
    size: int
    headers: dict[str, str]
    content_type: str

    def answer(self, read: Read) -> Reply:
        """The reply with the rows that were found."""
        shape = self.shape
        rows = [shape(row) for row in read.answer.rows or ()]
        link = next_link(self.path, self.query, self.options, self.size, read.answer.cursor)
        end = b',"@odata.nextLink":%b}' % _encode(link) if link else b"}"
        return Reply(b"%b%b%b" % (self.start, _encode(rows), end), 200, self.headers, self.content_type)


def plan(call: Call, entity: Entity, options: Options, chosen: Selection, prepared: Prepared) -> Plan:
    """Of a page without counts, expansions and lookups."""
    context = _encode(call.context(entity.set + chosen.fragment))
    start = context[:-1] + (b"," if len(context) > 2 else b"") + b'"value":'
    shape = shaper(entity, chosen.shown, call.format.metadata, call.root)
    applied = applied_page(call)
    return Plan(
        prepared, shape, start, call.path, call.query, options, page_size(call, options), call.headers(applied),
        call.format.content_type,
    )  # fmt: skip


def applied_page(call: Call) -> dict[str, str]:
    """What is said of the preference for a page's size."""
    return {} if call.wishes.page is None else {"Preference-Applied": f"odata.maxpagesize={call.wishes.page}"}


def shaped(call: Call, entity: Entity, chosen: Selection, rows: list[Row]) -> list[Row]:
    """The rows as clients are told them."""
    shape = shaper(entity, chosen.shown, call.format.metadata, call.root)
    return [shape(row) for row in rows]
