"""GraphQL as server-sent events, as graphql-sse speaks it: a connection for each operation."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from aiohttp import web

from octonet.access.principal import REVOKED, Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, Unauthenticated
from octonet.kernel.position import Position
from octonet.project import Project
from octonet.transport import HttpSettings, Incoming
from transports.engine.event_stream import EventStream
from transports.engine.graphql import wanted
from transports.engine.graphql.problems import all_of, is_of_request
from transports.engine.graphql.tail import Broken, Tail
from transports.engine.graphql.wanted import Wanted
from transports.engine.outlet import Outlet

if TYPE_CHECKING:
    from transports.engine.graphql.exchange import Engine
    from transports.engine.graphql.subscribed import Subscribed

log = logging.getLogger("octonet.graphql")

_COMPLETE: Final = b"event: complete\ndata: \n\n"
_BEAT: Final = b":\n\n"


class Streams:
    """The open streams of the door."""

    def __init__(self, gateway: Gateway, engine: Engine, settings: HttpSettings) -> None:
        self._gateway = gateway
        self._engine = engine
        self._settings = settings
        self._open: set[Outlet] = set()

    def close(self) -> None:
        """End every stream; clients connect anew, and go on where they were."""
        for outlet in list(self._open):
            outlet.over.set()

    async def serve(
        self, request: web.BaseRequest, incoming: Incoming, home: Project, who: Visitor, asked: Wanted, *, safe: bool
    ) -> web.StreamResponse:
        """One operation; `safe`: no mutation. Raises `OctonetError` before the first byte, where it is not the
        document's fault."""
        service = await self._engine.service()
        try:
            if not await service.is_subscription(home, who, asked):
                answer = await service.execute(home, who, asked, wanted.demands(incoming.headers, asked), safe=safe)
                return await self._whole(request, incoming, answer.encode())
            subscribed = await service.subscribe(home, who, asked)
            tail = await subscribed.open(incoming.headers.get("last-event-id", ""), self._settings.max_buffer)
        except OctonetError as problem:
            if not is_of_request(problem):
                raise
            return await self._whole(request, incoming, wanted.encode({"errors": all_of(problem)}))
        return await self._follow(request, incoming, who, subscribed, tail)

    async def _whole(self, request: web.BaseRequest, incoming: Incoming, payload: bytes) -> web.StreamResponse:
        """A result, and the end."""
        stream = EventStream(request, incoming.shared, self._settings.max_buffer, _farewell)
        await stream.open(_event(payload) + _COMPLETE)
        return await stream.close()

    async def _follow(
        self, request: web.BaseRequest, incoming: Incoming, who: Visitor, subscribed: Subscribed, tail: Tail
    ) -> web.StreamResponse:
        stream = EventStream(request, incoming.shared, self._settings.max_buffer, _farewell)
        outlet = stream.outlet
        self._open.add(outlet)
        unwatch = who.principal.watch(lambda: outlet.cut(REVOKED))
        pump: asyncio.Task[None] | None = None
        try:
            await stream.open(_BEAT)
            pump = asyncio.create_task(_pump(subscribed, tail, stream))
            pump.add_done_callback(lambda done: _ended(done, outlet))
            await stream.stay(_BEAT, self._settings.heartbeat)
        finally:
            self._open.discard(outlet)
            unwatch()
            tail.leave()
            if pump is not None:
                pump.cancel()
        return await stream.close()


async def _pump(subscribed: Subscribed, tail: Tail, stream: EventStream) -> None:
    outlet = stream.outlet
    try:
        while not outlet.over.is_set():
            facts = await tail.take()
            told = [(fact, payload) for fact in facts if (payload := await subscribed.payload(fact)) is not None]
            if told:
                events = [b"id: %b\n%b" % (fact.token.encode(), _event(payload)) for fact, payload in told]
                outlet.write(stream.wrap(b"".join(events)))
            tail.last = facts[-1].position
            await outlet.drained()
    except Broken as broken:
        outlet.cut(str(broken))


def _ended(pump: asyncio.Task[None], outlet: Outlet) -> None:
    if not pump.cancelled() and (problem := pump.exception()) is not None:
        incident = uuid4().hex
        log.error("incident %s: a GraphQL stream", incident, exc_info=problem)
        outlet.cut(f"something went wrong inside Octonet; incident {incident}")


def _event(payload: bytes) -> bytes:
    return b"event: next\ndata: %b\n\n" % payload


def _farewell(reason: str, _: Position) -> bytes:
    """A revoked key ends the subscription for good; whoever was too slow connects anew."""
    if reason != REVOKED:
        return b""
    return _event(wanted.encode({"errors": all_of(Unauthenticated(REVOKED))})) + _COMPLETE
