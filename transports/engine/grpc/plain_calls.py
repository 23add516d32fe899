"""The six methods per entity of the package `mostajs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Written
from octonet.kernel.ids import ProjectName, Row
from octonet.kernel.operation import Operation, Raw, Request
from octonet.reader import Read
from transports.engine import coerce, orm_response
from transports.engine.grpc import answers
from transports.engine.grpc.calls import conditioned, tell
from transports.engine.grpc.entrance import Call, Entrance, entity, parsed
from transports.engine.grpc.fields import Kind, Shape
from transports.engine.grpc.plain_file import METHODS, PACKAGE
from transports.engine.grpc.rows import Fields
from transports.engine.grpc.status import Missing

if TYPE_CHECKING:
    from google.protobuf.message import Message

_json: Final = msgspec.json.Encoder().encode


class PlainCalls:
    """Answers them."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._gateway = entrance.gateway

    async def call(self, name: str, method: str, content: bytes, call: Call) -> bytes:
        """One method of an entity of this name."""
        visit = await self._entrance.visit(call)
        shape = visit.described.shapes[entity(visit.described, name)]
        called = visit.described.plain_names[name]
        op, takes, gives = METHODS[method]
        message = parsed(visit.described.message(f"{PACKAGE}.{called.of(takes)}"), content)
        operation = self._gateway.operations[op]
        members = _members(message, operation)
        wish = conditioned(coerce.request(op, name, members), operation, visit.headers)
        found = await self._gateway.execute(visit.project, wish, visit.who)
        tell(call, found)
        if gives == "list":
            fields = await self._list(shape, found, wish, visit.project, visit.who)
        elif gives == "row":
            fields = _one(shape, found)
        else:
            fields = _plain(found, gives)
        return visit.described.message(f"{PACKAGE}.{called.of(gives)}")(**fields).SerializeToString()

    async def _list(
        self, shape: Shape, found: Read | Written, wish: Request, project: ProjectName, who: Visitor
    ) -> Fields:
        assert isinstance(found, Read)
        answer = found.answer
        rows = answer.rows or []
        skipped = isinstance(wish.options, dict) and "skip" in wish.options
        total = len(rows)
        if answer.cursor is not None or skipped:
            counted = await self._gateway.execute(project, Request("count", wish.entity, filter=wish.filter), who)
            assert isinstance(counted, Read)
            total = counted.answer.count or 0
        return {"items": [_row(shape, row) for row in rows], "total": total}


def _members(message: Message, operation: type[Operation]) -> dict[str, Raw]:
    """What is left out and what has the value of its type's default are the same here."""
    found: dict[str, Raw] = {}
    options: dict[str, Raw] = {}
    for field, value in message.ListFields():
        match field.name:
            case "sort":
                options["sort"] = coerce.json_text(cast("str", value), "$.options.sort")
            case "limit" | "skip":
                options[field.name] = value
            case "filter" | "data":
                found[field.name] = coerce.json_text(cast("str", value), f"$.{field.name}")
            case _:
                found[field.name] = value
    if options and "options" in operation.accepts():
        found["options"] = options
    return found


def _one(shape: Shape, found: Read | Written) -> Fields:
    row = answers.row_of(found) if isinstance(found, Written) else found.answer.row
    if row is None:
        raise Missing("there is no such row")
    return _row(shape, row)


def _row(shape: Shape, row: Row) -> Fields:
    found: Fields = {"id": row["id"]}
    for part in shape.plain:
        value = row.get(part.column)
        if value is not None:
            found[part.name] = _json(value).decode() if part.kind is Kind.JSON else value
    return found


def _plain(found: Read | Written, gives: str) -> Fields:
    told = cast("Mapping[str, object]", msgspec.json.decode(orm_response.encode(found)))
    if gives == "CountResponse":
        return {"count": told["data"]}
    return {"status": "ok", "data": _json(told["data"]).decode()}
