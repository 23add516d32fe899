"""Answers calls: one, or as many as a batch holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Operation, Raw, Request
from transports.engine import coerce, conditions
from transports.engine.jsonrpc import wire
from transports.engine.jsonrpc.discovery import DISCOVER, Discovery
from transports.engine.jsonrpc.wire import Call, Malformed

MOST_CALLS: Final = 100
"""Calls in one batch."""
_NONE: Mapping[str, str] = {}


class Calls:
    """The calls of one door."""

    def __init__(self, gateway: Gateway, discovery: Discovery) -> None:
        self._gateway = gateway
        self._discovery = discovery

    async def answer(
        self, project: ProjectName, content: Raw, headers: Mapping[str, str], who: Visitor
    ) -> bytes | None:
        """The answer to a call, or to a batch of them; None where nobody waits for one. The `headers` of a single call
        may put conditions on it."""
        if not isinstance(content, list):
            return await self._one(project, content, headers, who)
        try:
            _check_batch(content, headers)
        except OctonetError as problem:
            return wire.failure(wire.NULL, problem)
        # All at once: their writes then travel together, in their order.
        told = await asyncio.gather(*(self._one(project, each, _NONE, who) for each in content))
        answers = [answer for answer in told if answer is not None]
        return b"[%b]" % b",".join(answers) if answers else None

    async def _one(self, project: ProjectName, content: Raw, headers: Mapping[str, str], who: Visitor) -> bytes | None:
        id: bytes | None = wire.NULL
        try:
            call = wire.call(content)
            id = call.id
            if call.method == DISCOVER:
                told = await self._discover(project, who)
                return None if id is None else wire.raw_result(id, told)
            found = await self._gateway.execute(project, self._request(call, headers), who)
            return None if id is None else wire.result(id, found)
        except OctonetError as problem:
            return None if id is None else wire.failure(id, problem)

    async def _discover(self, project: ProjectName, who: Visitor) -> bytes:
        home = await self._gateway.enter(project, who)
        return self._discovery.document(project, home.schemas)

    def _request(self, call: Call, headers: Mapping[str, str]) -> Request:
        entity, _, op = call.method.rpartition(".")
        operation = self._gateway.operations.get(op)
        if operation is None:
            return Request(op, entity)
        members = call.params if isinstance(call.params, dict) else _named(operation, call.params)
        request = coerce.request(op, entity, coerce.members(operation, members))
        return conditions.add(request, operation, headers) if conditions.named(headers) else request


def _named(operation: type[Operation], values: list[Raw]) -> dict[str, Raw]:
    """Params by their position: what the operation needs, then what it takes, as the description lists them."""
    names = operation.needs + operation.takes
    if len(values) > len(names):
        raise wire.faulty("$", f"{operation.op()} takes at most {len(names)} params: {', '.join(names)}")
    return {name: value for name, value in zip(names, values, strict=False) if value is not msgspec.UNSET}


def _check_batch(content: list[Raw], headers: Mapping[str, str]) -> None:
    if not content:
        raise Malformed("a batch holds at least one call", code="EMPTY_BATCH")
    if len(content) > MOST_CALLS:
        sentence = f"a batch holds at most {MOST_CALLS} calls, this one {len(content)}"
        raise Malformed(sentence, code="BATCH_TOO_LARGE")
    if conditions.named(headers):
        raise Malformed("a header cannot say which call of a batch it means: say it in the params of each")
