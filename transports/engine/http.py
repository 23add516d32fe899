"""The HTTP host: one port for every HTTP door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from time import perf_counter
from uuid import uuid4

import msgspec
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from octonet.access.origin import Network, origin
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.trace import Span, Trace
from octonet.transport import Either, Exchange, HttpDoor, Incoming, Reply, Stream
from transports.engine import cors, health, limits, render
from transports.engine.front import FORWARDED, Front, House, add_header
from transports.engine.health import Health
from transports.engine.mounts import Mounts
from transports.engine.reply import response
from transports.engine.request_log import TRACEPARENT, log_request
from transports.engine.throttle import FREE, Throttle
from transports.engine.traffic import Traffic

log = logging.getLogger("octonet.http")

_LAST_MOMENT = 0.05
"""Seconds for a request to notice that it is cut."""
_NOTHING: Mapping[str, str] = {}


class _Connection(web.RequestHandler):
    """aiohttp's connection, except that what it refuses by itself is said in our words."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun when its making failed")
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            reply = render.failure(status, "BAD_REQUEST", "the request is not valid HTTP")
        else:
            reply = _incident(request.method, request.path, exc)
        return response(reply, closing=True)

    def close(self) -> None:
        super().close()
        if self._current_request is None:
            self.force_close()


class _Server(web.Server):
    """aiohttp's server, with our connections."""

    def __init__(self, host: HttpHost, factory: Callable[..., web.BaseRequest]) -> None:
        super().__init__(host.serve, request_factory=factory, access_log=None)
        self._host = host

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._host.came(handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._host.left(handler)

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class HttpHost:
    """Serves the doors mounted on it.

    `known` says whether a project exists, `how` how one is; `origins` are those that browsers may call from
    (``*``: any). Bodies are at most `max_body` bytes. `trusted` proxies tell where requests come from.
    `tls`: how connections are encrypted, None for plain HTTP.
    """

    def __init__(
        self,
        known: Callable[[str], bool],
        how: Callable[[ProjectName], Awaitable[Health]],
        origins: Sequence[str] = (),
        max_body: int = 10 * 1024 * 1024,
        trusted: Sequence[Network] = (),
        traffic: Traffic | None = None,
        throttle: Throttle | None = None,
        trace: Trace | None = None,
        log_requests: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._mounts = Mounts(known)
        self._cors = cors.Policy(frozenset(origins))
        self._max_body = max_body
        self._trusted = trusted
        self._server: _Server | None = None
        self._listening: asyncio.Server | None = None
        self._stopping = False
        self._open: set[asyncio.Protocol] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._traffic = traffic or Traffic(known)
        self._throttle = throttle or Throttle()
        self._trace = trace
        self._log_requests = log_requests
        self._tls = tls
        self.mount("/health", health.exchange(how), "health")

    def mount(self, prefix: str, door: HttpDoor, name: str = "") -> None:
        """Let `door`, of this name, serve this prefix and every path below it. Raises `ValueError` when it is taken."""
        self._mounts.add(prefix, door, name)

    async def start(self, host: str, port: int, reuse_port: bool = False) -> int:
        """Listen; returns the port, which matters when 0 was asked for."""
        server = self._server = _Server(self, self._request)
        share = self._cors.granted if self._cors.origins else lambda _: _NOTHING
        house = House(self._mounts, self.answer, share, server, self._max_body, self.came, self.left, self._from)
        self._listening = await asyncio.get_running_loop().create_server(
            lambda: Front(house), host, port, reuse_port=reuse_port or None, backlog=1024, ssl=self._tls
        )
        bound: socket.socket = self._listening.sockets[0]
        number: int = bound.getsockname()[1]
        return number

    async def stop(self, grace: float) -> None:
        """Accept nothing more, let running requests finish for up to `grace` seconds, then cut them."""
        if self._server is None or self._listening is None:
            return
        self._stopping = True
        self._listening.close()
        for front in self._fronts():
            front.finish()
        self._server.pre_shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._empty.wait()
        for front in self._fronts():
            front.abort()
        await self._server.shutdown(_LAST_MOMENT)
        await self._listening.wait_closed()

    def came(self, connection: asyncio.Protocol) -> None:
        """A connection is open."""
        self._open.add(connection)
        self._empty.clear()
        if self._stopping and isinstance(connection, Front):
            # It was accepted before the stop, and is heard of only now.
            connection.finish()

    def left(self, connection: asyncio.Protocol) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        if not self._open:
            self._empty.set()

    async def answer(self, exchange: Exchange, incoming: Incoming) -> Reply:
        """The reply to a whole request, whatever becomes of it. Never raises."""
        began, span = perf_counter(), None
        if self._trace is not None:
            span, incoming = _traced(self._trace, incoming)
        try:
            if self._throttle.pace is not FREE:
                self._throttle.check(incoming)
            reply = (cors.preflight(incoming) if incoming.shared else None) or await exchange(incoming)
        except OctonetError as problem:
            reply = render.refusal(problem)
        except Exception as problem:  # the outermost place: its caller is told, and nothing else is disturbed
            reply = _incident(incoming.method, incoming.target, problem)
        seconds = perf_counter() - began
        self._traffic.note(incoming, reply.status, seconds)
        if span is not None:
            span.end(reply.status)
        if self._log_requests:
            log_request(incoming, reply.status, seconds)
        told = limits.headers()
        if told is not None or incoming.shared:
            return msgspec.structs.replace(reply, headers={**reply.headers, **(told or {}), **incoming.shared})
        return reply

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """What a `Front` hands on: streams, and exchanges that are not plain."""
        limits.forget()
        incoming = self._incoming(request)
        place = self._mounts.find(incoming.target.partition("?")[0])
        if place is None:
            return await self._settle(_nowhere, incoming)
        incoming = msgspec.structs.replace(incoming, project=place.project, below=place.below, door=place.name)
        try:
            incoming = msgspec.structs.replace(incoming, body=await self._read(request))
        except OctonetError as problem:
            return await self._settle(_refusing(problem), incoming)
        door = place.door.chosen(incoming.headers) if isinstance(place.door, Either) else place.door
        if isinstance(door, Stream):
            return await self._stream(door, request, incoming)
        return await self._settle(door, incoming)

    async def _stream(self, door: Stream, request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        if incoming.shared and cors.preflight(incoming) is not None:
            return await self._settle(_nowhere, incoming)
        self._traffic.opened(incoming)
        try:
            if self._throttle.pace is not FREE:
                self._throttle.check(incoming)
            found = await door.serve(request, incoming)
        except OctonetError as problem:
            return await self._settle(_refusing(problem), incoming)
        finally:
            self._traffic.closed(incoming)
        if self._stopping:
            found.force_close()
        return found

    async def _settle(self, exchange: Exchange, incoming: Incoming) -> web.StreamResponse:
        return response(await self.answer(exchange, incoming), self._stopping)

    def _incoming(self, request: web.BaseRequest) -> Incoming:
        target = request.raw_path
        if not target.startswith("/"):
            target = request.rel_url.raw_path_qs
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            add_header(headers, name.lower(), value)
        shared = self._cors.granted(headers) if self._cors.origins else _NOTHING
        address = self._from(request.remote or "", headers)
        return Incoming(request.method, target, headers, b"", address, shared=shared)

    def _from(self, address: str, headers: Mapping[str, str]) -> str:
        """Where a request comes from, as far as the proxies in front are believed."""
        return origin(address, headers.get(FORWARDED, ""), self._trusted) if self._trusted else address

    async def _read(self, request: web.BaseRequest) -> bytes:
        length = request.content_length
        if length is not None and length > self._max_body:
            raise _too_large()
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise _too_large() from None

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        loop = task.get_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._max_body)

    def _fronts(self) -> list[Front]:
        return [connection for connection in self._open if isinstance(connection, Front)]


def _traced(trace: Trace, incoming: Incoming) -> tuple[Span, Incoming]:
    """A span for the request, to which everything belongs that it causes."""
    path = incoming.target.partition("?")[0]
    attributes = {"http.request.method": incoming.method, "url.path": path, "octonet.transport": incoming.door}
    span = trace.begin(f"{incoming.method} {incoming.door}", incoming.headers.get(TRACEPARENT, ""), attributes)
    headers = {**incoming.headers, TRACEPARENT: span.traceparent}
    return span, msgspec.structs.replace(incoming, headers=headers)


async def _nowhere(incoming: Incoming) -> Reply:
    path = incoming.target.partition("?")[0]
    raise render.Refused(404, "NOT_FOUND", f"nothing is served at {path[:200]!r}")


def _refusing(problem: OctonetError) -> Exchange:
    async def refuse(_: Incoming) -> Reply:
        raise problem

    return refuse


def _too_large() -> OctonetError:
    sentence = "the body is larger than this server accepts"
    return render.Refused(413, "BODY_TOO_LARGE", sentence, {"Connection": "close"})


def _incident(method: str, target: str, problem: BaseException | None) -> Reply:
    """The reply to what nobody foresaw: a number that leads to the log, and nothing else."""
    incident = uuid4().hex
    log.error("incident %s: %s %s", incident, method, target, exc_info=problem)
    return render.failure(500, "INTERNAL", f"something went wrong inside Octonet; incident {incident}")
