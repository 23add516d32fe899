"""$ref: references between rows, made and taken away."""

from __future__ import annotations

from octonet.gateway import Written
from octonet.kernel.errors import invalid
from octonet.kernel.operation import Request
from octonet.kernel.schema import RelationKind
from octonet.transport import Reply
from transports.engine import conditions
from transports.engine.odata import options as parsing
from transports.engine.odata import payload
from transports.engine.odata.address import Address, Step
from transports.engine.odata.call import Call, reference, refuse_method
from transports.engine.odata.locating import Place, absent, locate
from transports.engine.odata.problems import nothing
from transports.engine.odata.wish import Wish

_ALLOWED = "GET, HEAD, POST, PUT, DELETE"


async def wished(call: Call, address: Address) -> Wish:
    """The command that a request to ``…/navigation/$ref`` means."""
    if not address.steps:
        raise refuse_method(call.incoming.method, "GET, HEAD")
    *before, last = address.steps
    owner = await locate(call, Address(address.entity, address.key, tuple(before)))
    if owner.id is None or owner.collection:
        raise nothing("no row is there")
    method = call.incoming.method
    if method == "DELETE":
        return _take(call, owner, last)
    if last.key is not None or method != ("POST" if last.navigation.collection else "PUT"):
        raise refuse_method(method, "GET, HEAD, DELETE" if last.key is not None else _ALLOWED)
    return _give(call, owner, last)


def _give(call: Call, owner: Place, step: Step) -> Wish:
    parsing.parse(call.query, frozenset())
    body = payload.members(call.incoming)
    target = _target(call, step, body.get("@odata.id", body.get("@id")))
    relation = step.navigation.relation
    if relation.kind is RelationKind.MANY_TO_MANY:
        return _linked(call, owner, "addToSet", relation.name, target)
    if relation.kind is RelationKind.ONE_TO_MANY:
        return _pointed(call, Place(call.model.target(step.navigation), target), relation.column, owner.id)
    return _pointed(call, owner, relation.column, target)


def _take(call: Call, owner: Place, step: Step) -> Wish:
    options = parsing.parse(call.query, frozenset(("id",)))
    relation = step.navigation.relation
    if relation.owns_column:
        return _pointed(call, owner, relation.column, None)
    if (step.key is None) is (options.id is None):
        raise invalid("?$id", "must name the row, where the path does not", code="INVALID_REFERENCE")
    target = step.key if step.key is not None else _target(call, step, options.id)
    if relation.kind is RelationKind.MANY_TO_MANY:
        return _linked(call, owner, "pull", relation.name, target)
    return _pointed(call, Place(call.model.target(step.navigation), target), relation.column, None)


def _target(call: Call, step: Step, address: object) -> str:
    if not isinstance(address, str):
        raise invalid("@odata.id", "must be the address of a row", code="INVALID_REFERENCE")
    entity, key = reference(address, call)
    if entity.schema.name != step.navigation.relation.target:
        wanted = call.model.target(step.navigation).set
        raise invalid("@odata.id", f"must be the address of a row of {wanted}", code="INVALID_REFERENCE")
    return key


def _linked(call: Call, owner: Place, op: str, field: str, target: str) -> Wish:
    return _wish(call, owner, Request(op, owner.entity.schema.name, owner.id, field=field, value=target))


def _pointed(call: Call, place: Place, column: str, value: str | None) -> Wish:
    return _wish(call, place, Request("update", place.entity.schema.name, place.id, data={column: value}))


def _wish(call: Call, place: Place, request: Request) -> Wish:
    headers = call.incoming.headers
    if conditions.named(headers):
        request = conditions.add(request, call.gateway.operations[request.op], headers)

    def tell(written: Written) -> Reply:
        if written.data is None:
            raise absent(place.entity, str(place.id))
        return call.empty(conditions.told(written))

    return Wish(request, tell, entity=place.entity)
