"""Actions: every operation by its name, with a JSON body, answered with an OrmResponse; and those of the protocol."""

from __future__ import annotations

from collections.abc import Iterator

from pyarrow import flight

from octonet.kernel.errors import invalid
from octonet.kernel.operation import Command, Raw, Request
from transports.engine import coerce, conditions, orm_response
from transports.engine.arrow.call import Call
from transports.engine.arrow.wishes import json_object


def described(call: Call) -> Iterator[flight.ActionType]:
    """Every operation."""
    for name, operation in call.gateway.operations.items():
        told = (operation.__doc__ or "").split("\n", 1)[0]
        members = ", ".join(("entity", *operation.needs, *operation.takes))
        kind = "changes rows" if issubclass(operation, Command) else "reads rows"
        yield flight.ActionType(name, f"{told} A JSON object with {members}; {kind}.")


def act(call: Call, op: str, body: bytes) -> bytes:
    """Do an operation; its OrmResponse. Raises as `Gateway.execute` does."""
    content = json_object(body) if body else {}
    named = content.pop("op", op)
    if named != op:
        raise invalid("$.op", f"is not the action {op!r}")
    project = content.pop("project", None)
    if not isinstance(project, str | None):
        raise invalid("$.project", "must be the name of a project")
    name, request = call.project(project), _request(call, op, content)
    return orm_response.whole(call.run(call.gateway.execute(name, request, call.who)))


def _request(call: Call, op: str, content: dict[str, Raw]) -> Request:
    entity = content.pop("entity", "")
    if not isinstance(entity, str):
        raise invalid("$.entity", "must be the name of an entity")
    operation = call.gateway.operations.get(op)
    if operation is None:
        return Request(op, entity)
    request = coerce.request(op, entity, coerce.members(operation, content))
    return conditions.add(request, operation, call.headers) if conditions.named(call.headers) else request
