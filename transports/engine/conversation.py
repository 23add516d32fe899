"""One WebSocket connection: requests answered as they complete, facts pushed as they happen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Literal
from uuid import uuid4

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from octonet.access.principal import REVOKED, Visitor
from octonet.gateway import Gateway, Written
from octonet.kernel.errors import OctonetError, invalid
from octonet.kernel.operation import Raw, Request
from octonet.kernel.position import Position
from octonet.project import Project
from octonet.transport import HttpSettings
from transports.engine import coerce, frames, orm_response, render, wish
from transports.engine.listening import Listening
from transports.engine.outlet import Outlet

log = logging.getLogger("octonet.ws")

_LARGEST_MESSAGE = 1024 * 1024
_IN_FLIGHT = 64
_FAREWELL = 2.0
"""Seconds a client may take to answer a close."""
_GRACE = 5.0
"""Seconds that requests under way get when the server stops."""
_SHUTTING_DOWN = b"Server shutting down"
_encode = msgspec.json.Encoder().encode


class _Socket(web.WebSocketResponse[Literal[False]]):
    """A WebSocket that pushes nothing more once its close frame is on the way, whoever asked for the close."""

    before_close: Callable[[], None]

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        self.before_close()
        return await super().close(code=code, message=message, drain=drain)


class Conversation:
    """One connection to one project."""

    def __init__(
        self, gateway: Gateway, project: Project, request: web.BaseRequest, who: Visitor, settings: HttpSettings
    ) -> None:
        self._gateway = gateway
        self._project = project
        self._request = request
        self._who = who
        self._outlet = Outlet(request, settings.max_buffer, self._farewell)
        self._socket = _Socket(
            heartbeat=settings.heartbeat,
            compress=False,
            max_msg_size=_LARGEST_MESSAGE,
            decode_text=False,
            timeout=_FAREWELL,
        )
        self._socket.before_close = self._hush
        self._listening = Listening(project, self._outlet)
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, *, listening: bool, after: Position | None) -> web.StreamResponse:
        """Serve until either side closes. `listening` to everything is what a client does until it subscribes."""
        greeting: dict[str, object] = {"type": "connected", "entities": list(self._project.schemas.entities)}
        if listening:
            greeting["position"] = await self._listening.to_everything(after)
        greeting["connectedAt"] = wish.now()
        unwatch = self._who.principal.watch(lambda: self._outlet.cut(REVOKED))
        try:
            await self._socket.prepare(self._request)
            self._outlet.open(frames.frame(_encode(greeting)))
            await self._read()
        finally:
            unwatch()
            self._hush()
        return self._socket

    async def finish(self) -> None:
        """Answer what was asked, then close."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_GRACE)
        if self._socket.prepared:
            await self._socket.close(code=WSCloseCode.OK, message=_SHUTTING_DOWN)

    async def _read(self) -> None:
        socket = self._socket
        while True:
            await self._room.acquire()
            message = await socket.receive()
            if message.type is WSMsgType.TEXT:
                await self._take(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"messages are JSON text")
                return
            else:
                return

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
        await self._outlet.drained()
        self._room.release()

    def _start(self, correlation: Raw, request: Request) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(correlation, request))
        self._under_way.add(task)
        task.add_done_callback(lambda done: self._done(correlation, done))

    def _done(self, correlation: Raw, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.release()
        if not task.cancelled() and (problem := task.exception()) is not None:
            incident = uuid4().hex
            log.error("incident %s: a message on /ws", incident, exc_info=problem)
            body = render.envelope("INTERNAL", f"something went wrong inside Octonet; incident {incident}")
            self._outlet.write(_response(correlation, body))

    async def _answer(self, correlation: Raw, request: Request) -> None:
        try:
            result = await self._gateway.execute(self._project.name, request, self._who)
            body = orm_response.encode(result)
            if isinstance(result, Written):
                body = b'%b,"position":%b}' % (body[:-1], _encode(result.position))
            if result.version:
                body = b'%b,"version":%d}' % (body[:-1], result.version)
        except OctonetError as problem:
            body = render.error(problem)
        self._outlet.write(_response(correlation, body))
        await self._outlet.drained()

    def _farewell(self, reason: str, resume: Position) -> bytes:
        token = self._listening.token(resume)
        return frames.close_frame(WSCloseCode.TRY_AGAIN_LATER, f"{reason}, resume after {token}")

    def _hush(self) -> None:
        self._outlet.over.set()
        self._listening.leave()


def _correlation(content: dict[str, Raw]) -> Raw:
    found = content.pop("requestId", msgspec.UNSET)
    if found is msgspec.UNSET or found is None or isinstance(found, str | int | float):
        return found
    raise invalid("$.requestId", "must be text or a number")


def _response(correlation: Raw, body: bytes) -> bytes:
    """An OrmResponse as a message, carrying back what the client called its request."""
    echo = b"" if correlation is msgspec.UNSET else b'"requestId":%b,' % _encode(correlation)
    return frames.frame(b'{"type":"response",%b%b' % (echo, body[1:]))
