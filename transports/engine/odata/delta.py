"""What changed in a set since a client last looked, read from the log: a delta link is a position in history."""

from __future__ import annotations

from typing import cast

from octonet.kernel import filter_parse
from octonet.kernel.event import Fact
from octonet.kernel.filter import Filter
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.position import Position
from octonet.kernel.schema import ID, VERSION_COLUMN
from octonet.transport import Reply
from projections.engine.hub import NOW_AND_BEFORE
from projections.engine.live import Interest, Live
from transports.engine.odata.address import spelled
from transports.engine.odata.call import Call
from transports.engine.odata.conditions import Tree, lookups
from transports.engine.odata.listing import Selection, conditions, kept_pairs, page_size, selection
from transports.engine.odata.model import Entity
from transports.engine.odata.options import Options
from transports.engine.odata.problems import unsupported
from transports.engine.odata.rows import Shaper, shaper

APPLIED = {"Preference-Applied": "odata.track-changes"}


def can_track(options: Options, tree: Tree) -> bool:
    """Whether later changes can be told from the rows of the set alone."""
    cut = options.top is not None or options.skip or options.apply is not None
    return not (cut or options.expand or lookups(tree))


async def start(call: Call, options: Options) -> str:
    """The token of a look that begins now, or that goes on with its next page."""
    if options.deltatoken is not None:
        call.home.positions.decode(options.deltatoken, "?$deltatoken")
        # Its next page must not be older than the place from which changes are told.
        await call.gateway.reach(call.home, options.deltatoken)
        return options.deltatoken
    mark = await call.gateway.mark(call.home)
    return call.home.positions.encode(Position(mark.entry, NOW_AND_BEFORE))


def link(call: Call, token: str) -> str:
    """The address that tells what changes from then on."""
    pairs = [*kept_pairs(call.query, ("skip", "top", "skiptoken", "deltatoken", "count")), f"$deltatoken={token}"]
    return f"{call.path}?{'&'.join(pairs)}"


async def changes(call: Call, entity: Entity, options: Options) -> Reply:
    """The rows that changed, as they are after the last change of each, and those that are no longer among them."""
    tree = conditions(call, entity, options)
    if not can_track(options, tree) or options.orderby:
        raise unsupported("$deltatoken", "with these options")
    where = filter_parse.parse(entity.schema, tree, "$filter")
    chosen = selection(call, entity, options)
    after = call.home.positions.decode(options.deltatoken or "", "?$deltatoken")
    # A look at the log is counted as a look at the rows is.
    await call.gateway.enter(call.project, call.who)
    interest = Interest(frozenset((entity.schema.name,)))
    past = await call.home.hub.past(interest, after, page_size(call, options))
    last: dict[str, Live] = {}
    for fact in past.facts:
        last.pop(fact.id, None)
        last[fact.id] = fact
    shape = shaper(entity, chosen.shown, call.format.metadata, call.root)
    told: dict[str, object] = call.context(f"{entity.set}{chosen.fragment}/$delta")
    told["value"] = [_told(call, entity, fact, where, shape, chosen) for fact in last.values()]
    following = link(call, call.home.positions.encode(past.reached))
    told["@odata.nextLink" if past.more else "@odata.deltaLink"] = following
    return call.json(told)


def _told(call: Call, entity: Entity, fact: Live, where: Filter, shape: Shaper, chosen: Selection) -> Row:
    row = fact.row
    if fact.fact is Fact.DELETED or row is None:
        return _gone(call, entity, fact.id, "deleted")
    # An older fact lacks the columns that were added since.
    whole: Row = {name: row.get(name) for name in entity.schema.columns}
    for relation in entity.schema.links:
        whole[relation.name] = row.get(relation.name) or []
    whole |= {ID: fact.id, VERSION_COLUMN: fact.version}
    return shape(whole) if matches(where, whole) else _gone(call, entity, fact.id, "changed")


def _gone(call: Call, entity: Entity, id: str, reason: str) -> Row:
    address = spelled(entity, id)
    if call.version == "4.0":
        return {"@odata.context": f"{call.root}/$metadata#{entity.set}/$deletedEntity", "id": address, "reason": reason}
    return {"@removed": cast("JsonValue", {"reason": reason}), "@id": address, ID: id}
