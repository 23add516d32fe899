"""One WebSocket connection: requests answered as they complete, facts pushed as they happen."""

from __future__ import annotations

import msgspec
from aiohttp import WSCloseCode, web

from octonet.access.principal import REVOKED, Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.operation import Raw, Request
from octonet.kernel.position import Position
from octonet.project import Project
from octonet.transport import HttpSettings
from transports.engine import coerce, frames, orm_response, render, wish
from transports.engine.listening import Listening
from transports.engine.socket import Socket

_encode = msgspec.json.Encoder().encode


class Conversation:
    """One connection to one project."""

    def __init__(
        self, gateway: Gateway, project: Project, request: web.BaseRequest, who: Visitor, settings: HttpSettings
    ) -> None:
        self._gateway = gateway
        self._project = project
        self._who = who
        self._socket = Socket(request, settings, self._take, self._farewell, self._hush)
        self._outlet = self._socket.outlet
        self._listening = Listening(project, self._outlet)

    async def run(self, *, listening: bool, after: Position | None) -> web.StreamResponse:
        """Serve until either side closes. `listening` to everything is what a client does until it subscribes."""
        greeting: dict[str, object] = {"type": "connected", "entities": list(self._project.schemas.entities)}
        if listening:
            greeting["position"] = await self._listening.to_everything(after)
        greeting["connectedAt"] = wish.now()
        unwatch = self._who.principal.watch(lambda: self._outlet.cut(REVOKED))
        try:
            return await self._socket.run(frames.frame(_encode(greeting)))
        finally:
            unwatch()

    async def finish(self) -> None:
        """Answer what was asked, then close."""
        await self._socket.finish()

    async def _take(self, text: bytes) -> None:
        """Begin with one message. The room it takes is given back when it is answered."""
        correlation: Raw = msgspec.UNSET
        try:
            content = coerce.json_text(text)
            if not isinstance(content, dict):
                raise invalid("$", "must be a JSON object", code="PARSE_ERROR")
            correlation = _correlation(content)
            match content.pop("type", "request"):
                case "subscribe":
                    told = await self._listening.subscribe(content)
                    self._outlet.write(_response(correlation, _encode(told)))
                case "unsubscribe":
                    self._listening.unsubscribe(content)
                    self._outlet.write(_response(correlation, b'{"status":"ok"}'))
                case "request":
                    self._start(correlation, coerce.whole(content))
                    return
                case _:
                    raise invalid("$.type", "must be 'request', 'subscribe' or 'unsubscribe'")
        except OctonetError as problem:
            self._outlet.write(_response(correlation, render.error(problem)))

    def _start(self, correlation: Raw, request: Request) -> None:
        def failed(incident: str) -> bytes:
            body = render.envelope("INTERNAL", f"something went wrong inside Octonet; incident {incident}")
            return _response(correlation, body)

        self._socket.start(self._answer(correlation, request), failed)

    async def _answer(self, correlation: Raw, request: Request) -> None:
        try:
            result = await self._gateway.execute(self._project.name, request, self._who)
            body = orm_response.whole(result)
        except OctonetError as problem:
            body = render.error(problem)
        self._outlet.write(_response(correlation, body))
        await self._outlet.drained()

    def _hush(self) -> None:
        self._listening.leave()

    def _farewell(self, reason: str, resume: Position) -> bytes:
        token = self._listening.token(resume)
        return frames.close_frame(WSCloseCode.TRY_AGAIN_LATER, f"{reason}, resume after {token}")


def _correlation(content: dict[str, Raw]) -> Raw:
    found = content.pop("requestId", msgspec.UNSET)
    if found is msgspec.UNSET or found is None or isinstance(found, str | int | float):
        return found
    raise invalid("$.requestId", "must be text or a number")


def _response(correlation: Raw, body: bytes) -> bytes:
    """An OrmResponse as a message, carrying back what the client called its request."""
    echo = b"" if correlation is msgspec.UNSET else b'"requestId":%b,' % _encode(correlation)
    return frames.frame(b'{"type":"response",%b%b' % (echo, body[1:]))
