"""The HTTP host: one port for every HTTP door, found by the first segments of the path."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from http import HTTPStatus
from uuid import uuid4

import msgspec
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.transport import Handler
from transports.engine import cors, render
from transports.engine.caller import BELOW, PROJECT

log = logging.getLogger("octonet.http")

_LAST_MOMENT = 0.05
"""Seconds for a request to notice that it is cut."""


class Health(msgspec.Struct, frozen=True):
    """What `/health` tells of one project."""

    ready: bool
    transports: tuple[str, ...]
    entities: tuple[str, ...]


class _Connection(web.RequestHandler):
    """aiohttp's connection, except that what it refuses by itself is said in our words."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun when its making failed")
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            response = render.failure(status, "BAD_REQUEST", "the request is not valid HTTP")
        else:
            incident = uuid4().hex
            log.error("incident %s: %s %s", incident, request.method, request.path, exc_info=exc)
            response = render.failure(500, "INTERNAL", f"something went wrong inside Octonet; incident {incident}")
        response.force_close()
        return response


class _Server(web.Server):
    """aiohttp's server, with our connections, and an event that says when there are none."""

    def __init__(self, handler: Handler, request_factory: Callable[..., web.BaseRequest]) -> None:
        super().__init__(handler, request_factory=request_factory, access_log=None)
        self._open = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open += 1
        self.idle.clear()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open -= 1
        if self._open == 0:
            self.idle.set()

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class HttpHost:
    """Serves the doors mounted on it.

    `known` says whether a project exists, `health` how one is; `origins` are those that browsers may call from
    (``*``: any). Bodies are at most `max_body` bytes.
    """

    def __init__(
        self,
        known: Callable[[str], bool],
        health: Callable[[ProjectName], Health],
        origins: Sequence[str] = (),
        max_body: int = 10 * 1024 * 1024,
    ) -> None:
        self._known = known
        self._health = health
        self._cors = cors.Policy(frozenset(origins))
        self._max_body = max_body
        self._doors: dict[str, list[tuple[str, Handler]]] = {}
        self._server: _Server | None = None
        self._listening: asyncio.Server | None = None
        self._stopping = False
        self.mount("/health", self._report)

    def mount(self, prefix: str, handler: Handler) -> None:
        """Let `handler` serve this prefix and every path below it. Raises `ValueError` when it is taken."""
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ValueError(f"{prefix!r} is not a path prefix: it starts with a slash and does not end with one")
        doors = self._doors.setdefault(prefix.split("/", 2)[1], [])
        if any(taken == prefix for taken, _ in doors):
            raise ValueError(f"two doors want {prefix!r}")
        doors.append((prefix, handler))
        doors.sort(key=lambda door: len(door[0]), reverse=True)

    async def start(self, host: str, port: int, reuse_port: bool = False) -> int:
        """Listen; returns the port, which matters when 0 was asked for."""
        self._server = _Server(self._serve, self._request)
        self._listening = await asyncio.get_running_loop().create_server(
            self._server, host, port, reuse_port=reuse_port or None, backlog=1024
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
        self._server.pre_shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._server.idle.wait()
        await self._server.shutdown(_LAST_MOMENT)
        await self._listening.wait_closed()

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

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            preflight = self._cors.enter(request) if self._cors.origins else None
            response = await self._route(request)(request) if preflight is None else preflight
        except OctonetError as problem:
            response = render.refusal(problem)
        except web.HTTPException as problem:
            response = _spoken(problem)
        if self._cors.origins and not response.prepared:
            response.headers.update(cors.granted(request))
        if self._stopping:
            response.force_close()
        return response

    def _route(self, request: web.BaseRequest) -> Handler:
        raw = request.raw_path
        if not raw.startswith("/"):
            raw = request.rel_url.raw_path
        path = raw.partition("?")[0]
        project = DEFAULT_PROJECT
        handler = self._find(path, request)
        if handler is None:
            first, slash, rest = path[1:].partition("/")
            if slash and first != DEFAULT_PROJECT and self._known(first):
                project = ProjectName(first)
                handler = self._find("/" + rest, request)
        if handler is None:
            raise render.Refused(404, "NOT_FOUND", f"nothing is served at {path[:200]!r}")
        request[PROJECT] = project
        return handler

    def _find(self, path: str, request: web.BaseRequest) -> Handler | None:
        end = path.find("/", 1)
        for prefix, handler in self._doors.get(path[1:] if end < 0 else path[1:end], ()):
            if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/"):
                request[BELOW] = path[len(prefix) :]
                return handler
        return None

    async def _report(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            raise render.Refused(405, "METHOD_NOT_ALLOWED", "health can only be read", {"Allow": "GET, HEAD"})
        if request[BELOW] == "/live":
            return render.reply(b'{"status":"ok"}')
        if request[BELOW]:
            raise render.Refused(404, "NOT_FOUND", f"nothing is served at {request.path[:200]!r}")
        project = request[PROJECT]
        found = self._health(project)
        told: dict[str, object] = {"status": "ok" if found.ready else "unavailable"}
        if project != DEFAULT_PROJECT:
            told["project"] = project
        told |= {"transports": found.transports, "entities": found.entities}
        response = render.reply(msgspec.json.encode(told), 200 if found.ready else 503)
        response.headers["Cache-Control"] = "no-store"
        return response


def _spoken(problem: web.HTTPException) -> web.Response:
    """What aiohttp refuses with, in our envelope."""
    if problem.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return render.failure(413, "BODY_TOO_LARGE", "the body is larger than this server accepts")
    code = "BAD_REQUEST" if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR else "INTERNAL"
    return render.failure(problem.status, code, problem.text or problem.reason)
