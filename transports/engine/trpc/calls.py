"""Calls over HTTP: one, a batch answered at once, a batch answered line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, TooLarge, invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Raw
from octonet.transport import Incoming, Reply
from transports.engine import coerce, conditions
from transports.engine.caller import project_of
from transports.engine.render import Refused
from transports.engine.trpc import procedures, wire
from transports.engine.trpc.procedures import Kind, Procedure
from transports.engine.trpc.wire import Answer

MOST_CALLS: Final = 100
"""Calls in one batch."""
VARY: Final = {"Vary": "trpc-accept, accept"}
_PARAMETERS: Final = frozenset({"batch", "input"})
_NONE: Mapping[str, str] = {}
_MULTI_STATUS: Final = 207


class Asked(msgspec.Struct, frozen=True):
    """The calls of one HTTP request: paths with their inputs, UNSET where there is none."""

    project: ProjectName
    method: str
    calls: tuple[tuple[str, Raw], ...]
    batch: bool
    headers: Mapping[str, str]
    """Of a single call: they may put conditions on it."""


def read(incoming: Incoming) -> Asked:
    """What a request asks for. Raises `Invalid` where it cannot be told."""
    pairs = coerce.query_pairs(incoming.target)
    for name in pairs:
        if name not in _PARAMETERS:
            raise invalid(f"?{name}", "is not a parameter of this door", code="UNKNOWN_PARAMETER")
    segments = coerce.segments(incoming.below)
    if len(segments) != 1:
        raise Refused(404, "NOT_FOUND", "a procedure is one segment of the path, such as Customer.findById")
    given = _given(incoming, pairs)
    project = project_of(incoming)
    if pairs.get("batch") != "1":
        return Asked(project, incoming.method, ((segments[0], given),), False, incoming.headers)
    paths = segments[0].split(",")
    if len(paths) > MOST_CALLS:
        raise TooLarge(f"a batch holds at most {MOST_CALLS} calls, this one {len(paths)}", code="BATCH_TOO_LARGE")
    if conditions.named(incoming.headers):
        raise invalid("$", "a header cannot say which call of a batch it means: say it in the input of each")
    return Asked(project, incoming.method, tuple(zip(paths, _split(given, len(paths)), strict=True)), True, _NONE)


def _given(incoming: Incoming, pairs: Mapping[str, str]) -> Raw:
    if incoming.method == "POST":
        if "input" in pairs:
            raise invalid("?input", "goes into the body of a POST")
        return coerce.body(incoming)
    return coerce.json_text(pairs["input"], "?input") if "input" in pairs else msgspec.UNSET


def _split(given: Raw, count: int) -> list[Raw]:
    """The inputs of a batch, which come by their numbers as text."""
    if given is msgspec.UNSET:
        return [msgspec.UNSET] * count
    if not isinstance(given, dict):
        raise invalid("$", "must be a JSON object with the input of each call by its number")
    numbers = [str(number) for number in range(count)]
    for name in given:
        if name not in numbers:
            raise invalid("$", f"has an input {name[:64]!r} for which there is no call", code="UNKNOWN_MEMBER")
    return [given.get(number, msgspec.UNSET) for number in numbers]


class Calls:
    """The calls of one door."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def whole(self, asked: Asked, who: Visitor) -> Reply:
        """The answer to everything that is asked, at once."""
        answers = await asyncio.gather(*(self._one(asked, path, given, who) for path, given in asked.calls))
        if not asked.batch:
            return Reply(answers[0].body, answers[0].status, {**VARY, **answers[0].headers})
        statuses = {answer.status for answer in answers}
        status = statuses.pop() if len(statuses) == 1 else _MULTI_STATUS
        return Reply(b"[%b]" % b",".join([answer.body for answer in answers]), status, VARY)

    async def lines(
        self, request: web.BaseRequest, asked: Asked, who: Visitor, shared: Mapping[str, str]
    ) -> web.StreamResponse:
        """The answers as they come: a line that numbers them, then a line for each."""
        headers = {"Content-Type": "application/json", **VARY, **shared}
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        numbers = range(len(asked.calls))
        await response.write(b"{%b}\n" % b",".join([b'"%d":[[0],[null,0,%d]]' % (at, at) for at in numbers]))

        async def numbered(number: int, path: str, given: Raw) -> tuple[int, Answer]:
            return number, await self._one(asked, path, given, who)

        for done in asyncio.as_completed([numbered(at, *call) for at, call in enumerate(asked.calls)]):
            number, answer = await done
            await response.write(b"[%d,0,[[%b]]]\n" % (number, answer.body))
        await response.write_eof()
        return response

    async def _one(self, asked: Asked, path: str, given: Raw, who: Visitor) -> Answer:
        try:
            procedure = procedures.find(self._gateway.operations, path)
            _check_method(procedure, asked.method)
            return await self.call(asked.project, procedure, given, who, asked.headers)
        except OctonetError as problem:
            return wire.failure(problem, path)

    async def call(
        self, project: ProjectName, procedure: Procedure, given: Raw, who: Visitor, headers: Mapping[str, str] = _NONE
    ) -> Answer:
        """Run one query or mutation. Raises as `Gateway.execute` does."""
        wish = procedures.request(procedure, given)
        if conditions.named(headers):
            assert procedure.operation is not None
            wish = conditions.add(wish, procedure.operation, headers)
        return wire.success(await self._gateway.execute(project, wish, who))


def _check_method(procedure: Procedure, method: str) -> None:
    match procedure.kind:
        case Kind.QUERY:
            # By POST too: an input may be longer than an address.
            allowed = "GET, POST"
        case Kind.MUTATION:
            allowed = "POST"
        case Kind.SUBSCRIPTION:
            sentence = "a subscription is asked for as an event stream, or over a socket"
            raise Refused(405, "METHOD_NOT_ALLOWED", sentence, {"Allow": "GET"})
    if method not in allowed:
        sentence = f"{method} is not how a {procedure.kind} such as {procedure.path!r} is asked for; {allowed} is"
        raise Refused(405, "METHOD_NOT_ALLOWED", sentence, {"Allow": allowed})
