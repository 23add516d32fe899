"""The operations that OData has no word for, as actions bound to a set or to a row: the whole catalog."""

from __future__ import annotations

import msgspec

from octonet.gateway import Written
from octonet.kernel.errors import invalid
from octonet.kernel.ids import Row
from octonet.kernel.log import Verdict
from octonet.kernel.operation import Answer, Operation, Raw, Request, Result
from octonet.reader import Read
from octonet.transport import Reply
from transports.engine import coerce, conditions
from transports.engine.conditions import etag
from transports.engine.odata.address import Address
from transports.engine.odata.call import Call, refuse_method
from transports.engine.odata.model import NAMESPACE, Entity
from transports.engine.odata.problems import unsupported
from transports.engine.odata.rows import populated
from transports.engine.odata.wish import Wish

_decode = msgspec.json.Decoder(dict).decode
_NO_ROWS = "aggregate"


async def act(call: Call, address: Address) -> Reply:
    """Carry out the operation that the address names."""
    operation = address.operation
    assert operation is not None
    request = wished(call, address).request
    return _told(call, address.entity, operation, await call.gateway.execute(call.project, request, call.who))


def wished(call: Call, address: Address) -> Wish:
    """The operation as one command."""
    operation = address.operation
    assert operation is not None
    if call.incoming.method != "POST":
        raise refuse_method(call.incoming.method, "POST")
    if address.steps:
        raise unsupported("the path", "an action behind a navigation")
    request = _request(call, address, operation)
    return Wish(request, lambda written: _told(call, address.entity, operation, written), entity=address.entity)


def _request(call: Call, address: Address, operation: type[Operation]) -> Request:
    content = coerce.body(call.incoming)
    if content is not msgspec.UNSET and not isinstance(content, dict):
        raise invalid("$", "must be a JSON object")
    found: dict[str, Raw] = coerce.members(operation, content)
    if address.key is not None:
        if "id" in found:
            raise invalid("$.id", "is already in the address")
        found["id"] = address.key
    request = coerce.request(operation.op(), address.entity.schema.name, found)
    headers = call.incoming.headers
    return conditions.add(request, operation, headers) if conditions.named(headers) else request


def _told(call: Call, entity: Entity, operation: type[Operation], result: Read | Written) -> Reply:
    headers: dict[str, str] = {}
    if isinstance(result, Written):
        headers |= conditions.told(result)
    if result.version:
        headers["ETag"] = etag(result.version)
    if operation.result is Result.ROW:
        row = _row(result)
        if row is None:
            return call.empty(headers)
        told = populated(call.model, entity, row, result.version)
        return call.json({**call.context(f"{entity.set}/$entity"), **told}, headers=headers)
    if operation.result is Result.ROWS:
        assert isinstance(result, Read)
        return call.json(_rows(call, entity, operation, result.answer), headers=headers)
    if operation.result is Result.DELETED:
        assert isinstance(result, Written)
        gone = result.outcome.verdict is Verdict.APPLIED
        return call.json({**call.context("Edm.Boolean"), "value": gone}, headers=headers)
    count = result.outcome.count if isinstance(result, Written) else result.answer.count or 0
    return call.json({**call.context("Edm.Int64"), "value": call.number(count)}, headers=headers)


def _row(result: Read | Written) -> Row | None:
    if isinstance(result, Written):
        return None if result.data is None else _decode(result.data)
    return result.answer.row


def _rows(call: Call, entity: Entity, operation: type[Operation], answer: Answer) -> dict[str, object]:
    rows = answer.rows or []
    raw = operation.op() == _NO_ROWS
    told: dict[str, object] = call.context("Collection(Edm.Untyped)" if raw else entity.set)
    if answer.cursor is not None:
        told[f"@{NAMESPACE}.cursor"] = answer.cursor
    told["value"] = rows if raw else [populated(call.model, entity, row) for row in rows]
    return told
