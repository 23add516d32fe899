"""POST, PATCH, PUT and DELETE of rows and of their properties, each as one command and the telling of its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.gateway import Written
from octonet.kernel.errors import VersionMismatch
from octonet.kernel.ids import Row
from octonet.kernel.log import Verdict
from octonet.kernel.operation import Request
from octonet.kernel.schema import ID, VERSION_COLUMN
from octonet.transport import Reply
from transports.engine import conditions
from transports.engine.conditions import etag
from transports.engine.odata import options as parsing
from transports.engine.odata import payload
from transports.engine.odata.address import Address
from transports.engine.odata.call import Call, refuse_method
from transports.engine.odata.listing import selection, shaped
from transports.engine.odata.locating import Place, absent, locate
from transports.engine.odata.model import Entity, Property
from transports.engine.odata.problems import nothing, unsupported
from transports.engine.odata.together import fresh, inserted
from transports.engine.odata.wish import Wish

_OPTIONS: Final = frozenset(("select", "format"))
_decode = msgspec.json.Decoder(dict).decode


async def write(call: Call, address: Address) -> Reply:
    """The answer to a request that changes something."""
    wish = await wished(call, address)
    if wish.nested or wish.after:
        return await inserted(call, wish)
    if _may_insert(call, address):
        return await _upsert(call, address, wish)
    return wish.tell(await call.write(wish.request))


async def wished(call: Call, address: Address) -> Wish:
    """The command that a request means. Raises `Invalid`, `NotFound`, 405, and a 501."""
    parsing.parse(call.query, _OPTIONS)
    method = call.incoming.method
    if address.held is not None:
        return await _property(call, address, address.held)
    place = await locate(call, address)
    if place.collection:
        if method != "POST":
            _refuse(method, "GET, HEAD, POST")
        return _create(call, place)
    if place.id is None:
        raise nothing("no row is there")
    if method == "DELETE":
        return _delete(call, place.entity, place.id)
    if method not in ("PATCH", "PUT"):
        _refuse(method, "GET, HEAD, PATCH, PUT, DELETE")
    return _update(call, place.entity, place.id)


def _refuse(method: str, allowed: str) -> None:
    if method in ("PATCH", "DELETE") and allowed.endswith("POST"):
        raise unsupported("the path", f"{method} of a whole collection")
    raise refuse_method(method, allowed)


def _conditional(call: Call, op: str, request: Request) -> Request:
    if not conditions.named(call.incoming.headers):
        return request
    return conditions.add(request, call.gateway.operations[op], call.incoming.headers)


def _create(call: Call, place: Place) -> Wish:
    entity, origin = place.entity, place.origin
    content = payload.read(call, entity, payload.members(call.incoming))
    linked: tuple[Request, ...] = ()
    if origin is not None and origin.navigation.holder:
        id = content.data.setdefault(ID, fresh())
        owner = origin.entity.schema.name
        linked = (Request("addToSet", owner, origin.id, field=origin.navigation.name, value=id),)
    elif origin is not None:
        content.data[origin.navigation.relation.column] = origin.id
    request = _conditional(call, "create", Request("create", entity.schema.name, data=content.data))
    return Wish(request, lambda written: _made(call, entity, written), content.nested, entity, linked)


def _update(call: Call, entity: Entity, id: str) -> Wish:
    body = payload.members(call.incoming)
    content = payload.read(call, entity, body, changes=True)
    if content.nested:
        raise unsupported("the body", "new rows within a change of one")
    # The key stands in the address: in the body it says nothing new.
    if content.data.get(ID) == id:
        del content.data[ID]
    request = _conditional(call, "update", Request("update", entity.schema.name, id, data=content.data))

    def tell(written: Written) -> Reply:
        if written.data is None:
            raise absent(entity, id)
        return _changed(call, entity, written)

    return Wish(request, tell, entity=entity)


def _may_insert(call: Call, address: Address) -> bool:
    """Whether a row that is not there is to be made: an upsert of OData."""
    writes = call.incoming.method in ("PATCH", "PUT")
    return writes and address.held is None and not address.steps and "if-match" not in call.incoming.headers


async def _upsert(call: Call, address: Address, wish: Wish) -> Reply:
    entity, id = address.entity, str(address.key)
    only_new = call.incoming.headers.get("if-none-match", "").strip() == "*"
    if not only_new:
        written = await call.write(wish.request)
        if written.data is not None:
            return wish.tell(written)
    elif await call.row(entity, id, [ID]) is not None:
        raise VersionMismatch("there is such a row already")
    data = wish.request.data
    assert isinstance(data, dict)
    key = wish.request.idempotency_key
    # The change that found nothing has used the key: what follows from it has one of its own.
    again = key if not isinstance(key, str) or only_new else f"{key[:240]}.insert"
    made = Request("create", entity.schema.name, data={ID: id, **data}, idempotency_key=again)
    return _made(call, entity, await call.write(made))


def _delete(call: Call, entity: Entity, id: str) -> Wish:
    request = _conditional(call, "delete", Request("delete", entity.schema.name, id))

    def tell(written: Written) -> Reply:
        if written.outcome.verdict is not Verdict.APPLIED:
            raise absent(entity, id)
        return call.empty(conditions.told(written))

    return Wish(request, tell, entity=entity)


async def _property(call: Call, address: Address, held: Property) -> Wish:
    method = call.incoming.method
    if method not in ("PUT", "PATCH", "DELETE") or address.tail:
        raise refuse_method(method, "GET, HEAD, PUT, PATCH, DELETE")
    place = await locate(call, msgspec.structs.replace(address, held=None))
    if place.id is None:
        raise nothing("no row is there")
    entity, id = place.entity, place.id
    value = None if method == "DELETE" else payload.members(call.incoming).get("value")
    request = Request("update", entity.schema.name, id, data={held.column: value})

    def tell(written: Written) -> Reply:
        if written.data is None:
            raise absent(entity, id)
        return call.empty({**conditions.told(written), "ETag": etag(written.version)})

    return Wish(_conditional(call, "update", request), tell, entity=entity)


def _made(call: Call, entity: Entity, written: Written) -> Reply:
    assert written.data is not None
    row = _decode(written.data)
    where = call.address_of(entity, row[ID])
    return _row(call, entity, written, row, 201, {"Location": where}, where)


def _changed(call: Call, entity: Entity, written: Written) -> Reply:
    assert written.data is not None
    row = _decode(written.data)
    return _row(call, entity, written, row, 200, {}, call.address_of(entity, row[ID]))


def _row(
    call: Call, entity: Entity, written: Written, row: Row, status: int, more: Mapping[str, str], where: str
) -> Reply:
    headers = {**conditions.told(written), **more}
    status = status if written.trial is None else 200
    if written.version:
        headers["ETag"] = etag(written.version)
    returns = call.wishes.returns
    if returns:
        headers["Preference-Applied"] = f"return={returns}"
    if returns == "minimal":
        return call.empty({**headers, "OData-EntityId": where})
    options = parsing.parse(call.query, _OPTIONS)
    chosen = selection(call, entity, options)
    [told] = shaped(call, entity, chosen, [{**row, VERSION_COLUMN: written.version}])
    return call.json({**call.context(f"{entity.set}{chosen.fragment}/$entity"), **told}, status, headers)
