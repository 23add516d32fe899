"""Subscriptions as server-sent events."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from octonet.access.principal import REVOKED, Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import Unauthenticated, invalid
from octonet.kernel.operation import Raw
from octonet.transport import HttpSettings, Incoming
from transports.engine import coerce
from transports.engine.caller import project_of
from transports.engine.event_stream import EventStream
from transports.engine.outlet import Outlet
from transports.engine.trpc import procedures, watch, wire
from transports.engine.trpc.procedures import Kind, Procedure

_HEADERS: Final = {"Vary": "trpc-accept, accept"}
_PARAMETERS: Final = frozenset({"input", "connectionParams"})
_PING: Final = b"event: ping\ndata: \n\n"
_SILENCES: Final = 3
"""Signs of life that may fail to come before a client looks for another connection."""


class Asked(msgspec.Struct, frozen=True):
    """One subscription."""

    procedure: Procedure
    given: Raw
    ticket: str


def read(gateway: Gateway, incoming: Incoming) -> Asked | None:
    """The subscription that a request asks for; None when what it names is none. Raises `OctonetError` where it cannot
    be told."""
    segments = coerce.segments(incoming.below)
    if incoming.method != "GET" or len(segments) != 1:
        return None
    procedure = procedures.find(gateway.operations, segments[0])
    if procedure.kind is not Kind.SUBSCRIPTION:
        return None
    pairs = coerce.query_pairs(incoming.target)
    for name in pairs:
        if name not in _PARAMETERS:
            raise invalid(f"?{name}", "is not a parameter of a subscription", code="UNKNOWN_PARAMETER")
    given = coerce.json_text(pairs["input"], "?input") if "input" in pairs else msgspec.UNSET
    token = incoming.headers.get("last-event-id")
    if token:
        given = {**procedures.members(given), "lastEventId": token}
    return Asked(procedure, given, _ticket(pairs.get("connectionParams", "null")))


def _ticket(text: str) -> str:
    """Addresses are written down in many places: no key belongs into one, only what stands for it for a moment."""
    found = coerce.json_text(text, "?connectionParams")
    if found is None:
        return ""
    ticket = found.get("ticket", "") if isinstance(found, dict) and found.keys() <= {"ticket"} else None
    if not isinstance(ticket, str):
        raise invalid("?connectionParams", "may hold a ticket, and nothing else")
    return ticket


class Events:
    """The open streams of one door."""

    def __init__(self, gateway: Gateway, settings: HttpSettings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._open: set[Outlet] = set()

    def close(self) -> None:
        """End every stream; their clients connect anew."""
        for outlet in self._open:
            outlet.over.set()

    async def serve(
        self, request: web.BaseRequest, incoming: Incoming, asked: Asked, who: Visitor
    ) -> web.StreamResponse:
        """Push facts until either side ends it. Raises `OctonetError` before the first byte."""
        home = await self._gateway.enter(project_of(incoming), who)
        watched = watch.read(home, asked.procedure, asked.given)
        headers = {**_HEADERS, **incoming.shared}
        stream = EventStream(request, headers, self._settings.max_buffer, lambda reason, _: _farewell(reason))
        outlet = stream.outlet
        feed = outlet.feed()
        encode = wire.chunked_events if stream.chunked else wire.sent_events
        await feed.join(home.hub, watched.interest, encode, watched.after)
        self._open.add(outlet)
        unwatch = who.principal.watch(lambda: outlet.cut(REVOKED))
        try:
            await stream.open(self._greeting())
            await stream.stay(_PING, self._settings.heartbeat)
        finally:
            self._open.discard(outlet)
            unwatch()
            feed.leave()
        return await stream.close()

    def _greeting(self) -> bytes:
        silence = int(self._settings.heartbeat * _SILENCES * 1000)
        return b'event: connected\ndata: {"reconnectAfterInactivityMs":%d}\n\n' % silence


def _farewell(reason: str) -> bytes:
    """A revoked key ends the subscription for good; whoever was too slow connects anew, and goes on where they were."""
    if reason != REVOKED:
        return b""
    return b"event: serialized-error\ndata: %b\n\n" % wire.error(Unauthenticated(REVOKED))
