"""tRPC v11: every operation as a procedure, for the clients that TypeScript programs have already."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from aiohttp import web

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.operation import Raw
from octonet.transport import Either, HttpDoor, HttpSettings, Incoming, Reply, Stream
from transports.engine import coerce
from transports.engine.caller import known, project_of, visitor
from transports.engine.render import Refused
from transports.engine.reply import response
from transports.engine.trpc import calls, events, wire
from transports.engine.trpc.calls import VARY, Calls
from transports.engine.trpc.events import Events
from transports.engine.trpc.router_types import FILE, RouterTypes
from transports.engine.trpc.talk import Talk

_NAME = "trpc"
_LINES = "application/jsonl"
_EVENTS = "text/event-stream"
_PARAMETERS = frozenset({"connectionParams", "ticket"})


class Trpc:
    """The tRPC door."""

    name = _NAME
    default_path = "/trpc"
    needs = ""

    def __init__(self) -> None:
        self._doors: list[_Door] = []

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""
        door = _Door(gateway, settings)
        self._doors.append(door)
        return {settings.path or self.default_path: Either(door.whole, Stream(door.stream), _wants_stream)}

    async def close(self) -> None:
        """End streams and sockets; their clients come again."""
        await asyncio.gather(*(door.close() for door in self._doors))


def _wants_stream(headers: Mapping[str, str]) -> bool:
    return "upgrade" in headers or headers.get("trpc-accept") == _LINES or _EVENTS in headers.get("accept", "")


class _Door:
    def __init__(self, gateway: Gateway, settings: HttpSettings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._calls = Calls(gateway)
        self._events = Events(gateway, settings)
        self._types = RouterTypes(gateway.operations)
        self._talks: set[Talk] = set()

    async def close(self) -> None:
        """End what is open."""
        self._events.close()
        await asyncio.gather(*(talk.finish() for talk in list(self._talks)))

    async def whole(self, incoming: Incoming) -> Reply:
        """One request and its answer."""
        try:
            who = known(self._gateway, incoming, _NAME) or await visitor(self._gateway, incoming, _NAME)
            return await self._answer(incoming, who)
        except OctonetError as problem:
            return _refusal(problem)

    async def stream(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        """One request whose answer comes in parts."""
        try:
            return await self._stream(request, incoming)
        except OctonetError as problem:
            refused = _refusal(problem)
            return response(msgspec.structs.replace(refused, headers={**refused.headers, **incoming.shared}), False)

    async def _answer(self, incoming: Incoming, who: Visitor) -> Reply:
        if incoming.method == "OPTIONS":
            return Reply(status=204, headers={"Allow": "GET, HEAD, POST, OPTIONS"})
        below = incoming.below.strip("/")
        if below in ("", FILE):
            return await self._describe(incoming, who, below)
        if incoming.method == "HEAD":
            return Reply(status=204, headers=VARY)
        return await self._calls.whole(calls.read(incoming), who)

    async def _describe(self, incoming: Incoming, who: Visitor, below: str) -> Reply:
        if incoming.method not in ("GET", "HEAD"):
            raise Refused(405, "METHOD_NOT_ALLOWED", "the description can only be read", {"Allow": "GET, HEAD"})
        project = project_of(incoming)
        schemas = (await self._gateway.enter(project, who)).schemas
        if below:
            return Reply(self._types.text(project, schemas).encode(), content_type="text/plain; charset=utf-8")
        return Reply(self._types.listed(project, schemas))

    async def _stream(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        if "upgrade" in incoming.headers:
            return await self._talk(request, incoming)
        if _EVENTS in incoming.headers.get("accept", ""):
            asked = events.read(self._gateway, incoming)
            if asked is not None:
                who = await visitor(self._gateway, incoming, _NAME, asked.ticket)
                return await self._events.serve(request, incoming, asked, who)
        who = await visitor(self._gateway, incoming, _NAME)
        wish = calls.read(incoming)
        if wish.batch and incoming.headers.get("trpc-accept") == _LINES:
            return await self._calls.lines(request, wish, who, incoming.shared)
        told = await self._calls.whole(wish, who)
        return response(msgspec.structs.replace(told, headers={**told.headers, **incoming.shared}), False)

    async def _talk(self, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        if incoming.below.strip("/") or incoming.method != "GET" or incoming.headers["upgrade"].lower() != "websocket":
            raise Refused(
                426, "UPGRADE_REQUIRED", "a socket is opened at the door's own path", {"Upgrade": "websocket"}
            )
        pairs = coerce.query_pairs(incoming.target)
        for name in pairs:
            if name not in _PARAMETERS:
                raise invalid(f"?{name}", "is not a parameter of the socket", code="UNKNOWN_PARAMETER")
        project = project_of(incoming)

        async def admit(params: dict[str, Raw]) -> Visitor:
            shown, ticket = _shown(incoming, params)
            return await self._entered(shown, ticket)

        who = None
        if pairs.get("connectionParams") != "1":
            who = await self._entered(incoming, pairs.get("ticket", ""))
        talk = Talk(self._gateway, self._calls, project, request, self._settings, admit, who)
        self._talks.add(talk)
        try:
            return await talk.run()
        finally:
            self._talks.discard(talk)

    async def _entered(self, incoming: Incoming, ticket: str) -> Visitor:
        who = await visitor(self._gateway, incoming, _NAME, ticket)
        await self._gateway.enter(project_of(incoming), who)
        return who


def _shown(incoming: Incoming, params: dict[str, Raw]) -> tuple[Incoming, str]:
    """The request as if it showed the key that stands in its connection parameters, and the ticket that does."""
    found = {"apiKey": "", "ticket": ""}
    for name, value in params.items():
        if name not in found or not isinstance(value, str):
            raise invalid(f"$.data.{name}", "is not a connection parameter: there are 'apiKey' and 'ticket', both text")
        found[name] = value
    if found["apiKey"]:
        incoming = msgspec.structs.replace(incoming, headers={**incoming.headers, "x-api-key": found["apiKey"]})
    return incoming, found["ticket"]


def _refusal(problem: OctonetError) -> Reply:
    found = wire.failure(problem)
    return Reply(found.body, found.status, {**VARY, **found.headers})


TRANSPORT = Trpc()
