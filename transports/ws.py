"""WebSocket: every operation as a message, and a project's facts as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from octonet.gateway import Gateway
from octonet.kernel.errors import invalid
from octonet.transport import HttpDoor, HttpSettings, Incoming, Stream
from transports.engine import coerce
from transports.engine.caller import project_of, visitor
from transports.engine.conversation import Conversation
from transports.engine.render import Refused
from transports.engine.wish import after

_NAME = "ws"
_PARAMETERS = frozenset({"events", "after", "project", "ticket"})
_EVENTS = ("all", "none")


class Ws:
    """The WebSocket door."""

    name = _NAME
    default_path = "/ws"
    needs = ""

    def __init__(self) -> None:
        self._open: set[Conversation] = set()

    def mount(self, gateway: Gateway, settings: HttpSettings) -> Mapping[str, HttpDoor]:
        """See `HttpTransport`."""

        async def serve(request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
            if incoming.below.strip("/"):
                raise Refused(404, "NOT_FOUND", "the socket has no parts")
            if incoming.method != "GET" or incoming.headers.get("upgrade", "").lower() != "websocket":
                raise Refused(426, "UPGRADE_REQUIRED", "this door speaks WebSocket only", {"Upgrade": "websocket"})
            pairs = _parameters(incoming)
            who = await visitor(gateway, incoming, _NAME, pairs.get("ticket", ""))
            project = await gateway.enter(project_of(incoming, pairs.get("project")), who)
            resume = after(project.positions, pairs.get("after"))
            conversation = Conversation(gateway, project, request, who, settings)
            self._open.add(conversation)
            try:
                return await conversation.run(listening=pairs.get("events") != "none", after=resume)
            finally:
                self._open.discard(conversation)

        return {settings.path or self.default_path: Stream(serve)}

    async def close(self) -> None:
        """Answer what was asked, then close every connection with 1000."""
        await asyncio.gather(*(conversation.finish() for conversation in list(self._open)))


def _parameters(incoming: Incoming) -> dict[str, str]:
    pairs = coerce.query_pairs(incoming.target)
    for name in pairs:
        if name not in _PARAMETERS:
            raise invalid(f"?{name}", "is not a parameter of the socket", code="UNKNOWN_PARAMETER")
    if pairs.get("events", "all") not in _EVENTS:
        raise invalid("?events", "must be 'all' or 'none'")
    return pairs


TRANSPORT = Ws()
