"""Server-sent events: a project's facts as a stream that any browser can resume."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from octonet.access.principal import REVOKED, Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import invalid
from octonet.kernel.position import Position
from octonet.kernel.schema import Schemas
from octonet.project import Project
from octonet.transport import HttpDoor, HttpSettings, Incoming, Stream
from projections.engine.live import Interest
from transports.engine import coerce, frames, wish
from transports.engine.caller import project_of, visitor
from transports.engine.event_stream import HEADERS, EventStream
from transports.engine.outlet import Outlet
from transports.engine.render import Refused

_NAME = "sse"
_SHUTTING_DOWN = "server shutting down"
_PARAMETERS = frozenset({"entity", "filter", "after", "project"})
_ALLOW = "GET, HEAD"


class _Asked(msgspec.Struct, frozen=True):
    home: Project
    interest: Interest
    after: Position | None


class Sse:
    """The door of server-sent events."""

    name = _NAME
    default_path = "/events"
    needs = ""

    def __init__(self) -> None:
        self._open: set[Outlet] = set()

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""

        async def serve(request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
            if incoming.method not in ("GET", "HEAD"):
                raise Refused(405, "METHOD_NOT_ALLOWED", f"only {_ALLOW} are possible here", {"Allow": _ALLOW})
            if incoming.below.strip("/"):
                raise Refused(404, "NOT_FOUND", "the events have no parts; choose with ?entity=")
            return await self._stream(gateway, settings, request, incoming)

        return {settings.path or self.default_path: Stream(serve)}

    async def close(self) -> None:
        """End every stream with a comment."""
        for outlet in list(self._open):
            outlet.over.set()

    async def _stream(
        self, gateway: Gateway, settings: HttpSettings, request: web.BaseRequest, incoming: Incoming
    ) -> web.StreamResponse:
        pairs = coerce.query_pairs(incoming.target)
        who = await visitor(gateway, incoming, _NAME, pairs.pop("ticket", ""))
        asked = await _asked(gateway, incoming, pairs, who)
        headers = {"Cache-Control": "no-cache", **incoming.shared}
        if request.method == "HEAD":
            return web.StreamResponse(headers={**HEADERS, **headers})
        stream = EventStream(request, headers, settings.max_buffer, lambda reason, _: _comment(reason))
        outlet = stream.outlet
        feed = outlet.feed()
        encode = frames.chunked_events if stream.chunked else frames.plain_events
        await feed.join(asked.home.hub, asked.interest, encode, asked.after)
        self._open.add(outlet)
        unwatch = who.principal.watch(lambda: outlet.cut(REVOKED))
        try:
            await stream.open(_greeting(asked.home.schemas))
            await stream.stay(_comment(""), settings.heartbeat)
        finally:
            self._open.discard(outlet)
            unwatch()
            feed.leave()
        return await stream.close(_comment(_SHUTTING_DOWN))


async def _asked(gateway: Gateway, incoming: Incoming, pairs: Mapping[str, str], who: Visitor) -> _Asked:
    for name in pairs:
        if name not in _PARAMETERS:
            raise invalid(f"?{name}", "is not a parameter of the event stream", code="UNKNOWN_PARAMETER")
    home = await gateway.enter(project_of(incoming, pairs.get("project")), who)
    schemas = home.schemas
    where = coerce.json_text(pairs["filter"], "$.filter") if "filter" in pairs else msgspec.UNSET
    # A browser that reconnects repeats the address it was given, and adds how far it got.
    token = incoming.headers.get("last-event-id") or pairs.get("after")
    entities = coerce.names(pairs.get("entity", ""))
    return _Asked(home, wish.interest(schemas, entities, where), wish.after(home.positions, token))


def _greeting(schemas: Schemas) -> bytes:
    data = msgspec.json.encode({"entities": list(schemas.entities), "connectedAt": wish.now()})
    return b":ok\n\nretry: 2000\n\nevent: connected\ndata: %b\n\n" % data


def _comment(text: str) -> bytes:
    return f": {text}\n\n".encode()


TRANSPORT = Sse()
