"""The answer to an $apply."""

from __future__ import annotations

from octonet.kernel.aggregate import NO_GROUP
from octonet.kernel.errors import invalid
from octonet.kernel.faults import quote
from octonet.kernel.ids import Row
from octonet.transport import Reply
from transports.engine.odata import applying
from transports.engine.odata.call import Call
from transports.engine.odata.compile import compiled
from transports.engine.odata.conditions import Tree
from transports.engine.odata.listing import page_size
from transports.engine.odata.locating import Place
from transports.engine.odata.model import Entity
from transports.engine.odata.options import Options
from transports.engine.odata.problems import unsupported
from transports.engine.odata.scope import Scope


async def aggregated(call: Call, place: Place, options: Options) -> Reply:
    """The rows of a pipeline, and of the options that look at what it gives. Raises as the parser does."""
    entity = place.entity
    if options.select or options.expand or options.search is not None or options.skip or options.skiptoken is not None:
        raise unsupported("$apply", "with options other than $filter, $orderby, $top and $count")
    scope = Scope(call.model, entity, "$apply")
    pipeline = applying.parse(options.apply or "", scope)
    if not pipeline.names:
        raise unsupported("$apply", "without groupby or aggregate")
    stages: list[dict[str, object]] = []
    if place.where is not None:
        stages.append({"$match": place.where})
    for stage in pipeline.stages:
        stages.append({name: await _resolved(call, member) for name, member in stage.items()})
    if options.filter is not None:
        stages.append({"$match": _filter(call, entity, options, pipeline)})
    if options.orderby:
        stages.append({"$sort": _sort(entity, options, pipeline)})
    total = None
    if options.count:
        total = len((await call.read("aggregate", entity, stages=stages)).answer.rows or [])
    if options.top is not None and page_size(call, options):
        stages.append({"$limit": page_size(call, options)})
    rows = [] if options.top == 0 else (await call.read("aggregate", entity, stages=stages)).answer.rows or []
    told: dict[str, object] = call.context(f"{entity.set}({','.join(pipeline.names)})")
    if total is not None:
        told["@odata.count"] = call.number(total)
    told["value"] = [_named(entity, row) for row in rows]
    return call.json(told)


async def _resolved(call: Call, member: object) -> object:
    return await call.resolved(member) if isinstance(member, dict) else member


def _named(entity: Entity, row: Row) -> Row:
    told: Row = {"@odata.id": None}
    for name, value in row.items():
        if name != NO_GROUP:
            held = entity.by_column.get(name)
            told[held.name if held is not None else name] = value
    return told


def _filter(call: Call, entity: Entity, options: Options, pipeline: applying.Pipeline) -> Tree:
    if pipeline.names != (pipeline.grouped,):
        raise unsupported("$filter", "behind an $apply that aggregates")
    assert options.filter is not None
    return compiled(options.filter, Scope(call.model, entity, "$filter")).tree


def _sort(entity: Entity, options: Options, pipeline: applying.Pipeline) -> dict[str, int]:
    found: dict[str, int] = {}
    for term in options.orderby:
        name = term.path[-1]
        if len(term.path) > 1 or name not in pipeline.names:
            raise invalid("$orderby", f"{quote(name)} is not what $apply gives", code="UNKNOWN_FIELD")
        column = entity.properties[name].column if name == pipeline.grouped else name
        found[column] = -1 if term.descending else 1
    return found
