"""GraphQL over a WebSocket, as graphql-ws speaks it: the subprotocol graphql-transport-ws."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec
from aiohttp import WSCloseCode, web

from octonet.access.principal import REVOKED, Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import Exhausted, Internal, OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Raw
from octonet.kernel.position import Position
from octonet.project import Project
from octonet.transport import HttpSettings
from transports.engine import coerce, frames
from transports.engine.graphql import wanted
from transports.engine.graphql.problems import all_of
from transports.engine.graphql.tail import Broken, Tail
from transports.engine.graphql.wanted import Wanted
from transports.engine.socket import Socket

if TYPE_CHECKING:
    from transports.engine.graphql.exchange import Engine
    from transports.engine.graphql.subscribed import Subscribed

log = logging.getLogger("octonet.graphql")

PROTOCOL: Final = "graphql-transport-ws"
Admit = Callable[[Mapping[str, Raw]], Awaitable[Visitor]]
"""Lets in whoever showed these connection parameters. Raises `OctonetError`."""

_PATIENCE: Final = 10.0
"""Seconds a client may take to introduce itself."""
_GRACE: Final = 5.0
"""Seconds that operations under way get when the server stops."""
_MOST: Final = 100
"""Operations of one connection at a time."""
_LONGEST_ID: Final = 128
_BAD, _UNKNOWN, _FORBIDDEN, _NOT_SPOKEN, _LATE, _TAKEN, _TWICE = 4400, 4401, 4403, 4406, 4408, 4409, 4429
_TOO_LATE: Final = "Connection initialisation timeout"
_encode = msgspec.json.Encoder().encode


class _Closing(Exception):
    """The protocol asks for an end."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Talk:
    """One connection to one project."""

    def __init__(
        self,
        gateway: Gateway,
        engine: Engine,
        project: ProjectName,
        request: web.BaseRequest,
        settings: HttpSettings,
        admit: Admit,
    ) -> None:
        self._gateway = gateway
        self._engine = engine
        self._project = project
        self._settings = settings
        self._admit = admit
        self._who: Visitor | None = None
        self._begun = False
        self._unwatch: Callable[[], None] = lambda: None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tails: dict[str, Tail] = {}
        self._positions: Project | None = None
        self._socket = Socket(request, settings, self._take, self._farewell, self._hush, (PROTOCOL,))

    async def run(self) -> web.StreamResponse:
        """Serve until either side closes."""
        late = asyncio.get_running_loop().call_later(_PATIENCE, self._look)
        try:
            return await self._socket.run(b"")
        finally:
            late.cancel()
            self._unwatch()

    async def finish(self) -> None:
        """Answer what was asked, and close; clients connect anew, and go on where they were."""
        asked = [task for id, task in self._running.items() if id not in self._tails]
        if asked:
            await asyncio.wait(asked, timeout=_GRACE)
        await self._socket.close(WSCloseCode.GOING_AWAY, b"Server shutting down")

    def _look(self) -> None:
        if self._who is None:
            self._socket.outlet.cut(_TOO_LATE)

    async def _take(self, text: bytes) -> None:
        try:
            await self._obey(text)
        except _Closing as end:
            await self._socket.close(end.code, str(end).encode()[:120])

    async def _obey(self, text: bytes) -> None:
        if self._socket.protocol != PROTOCOL:
            raise _Closing(_NOT_SPOKEN, "Subprotocol not acceptable")
        content = _message(text)
        match content.get("type"):
            case "connection_init":
                await self._introduce(content.get("payload"))
            case "ping":
                self._write({"type": "pong"})
            case "pong":
                return
            case "subscribe":
                if self._who is None:
                    raise _Closing(_UNKNOWN, "Unauthorized")
                await self._subscribe(_id(content), content.get("payload"), self._who)
            case "complete":
                self._stop(_id(content))
            case _:
                raise _Closing(_BAD, "Invalid message received")

    async def _introduce(self, payload: Raw) -> None:
        if self._begun:
            raise _Closing(_TWICE, "Too many initialisation requests")
        self._begun = True
        if not isinstance(payload, dict | None):
            raise _Closing(_BAD, "Invalid message received")
        try:
            who = await self._admit(payload or {})
            self._gateway.look(self._project, who)
        except OctonetError as problem:
            raise _Closing(_FORBIDDEN, f"Forbidden: {problem.code}") from None
        self._who = who
        self._unwatch = who.principal.watch(lambda: self._socket.outlet.cut(REVOKED))
        self._write({"type": "connection_ack"})

    async def _subscribe(self, id: str, payload: Raw, who: Visitor) -> None:
        if id in self._running:
            raise _Closing(_TAKEN, f"Subscriber for {id} already exists")
        try:
            if len(self._running) >= _MOST:
                raise Exhausted(f"a connection can have {_MOST} operations at a time")
            request = wanted.of_json(payload)
            await self._begin(id, request, who)
        except OctonetError as problem:
            self._fail(id, problem)

    async def _begin(self, id: str, request: Wanted, who: Visitor) -> None:
        home = self._gateway.look(self._project, who)
        service = await self._engine.service()
        if await service.is_subscription(home, who, request):
            subscribed = await service.subscribe(home, who, request)
            tail = self._tails[id] = await subscribed.open("", self._settings.max_buffer)
            self._positions = home
            self._start(id, self._pump(id, subscribed, tail))
        else:
            self._start(id, self._answer(id, home, request, who))

    def _start(self, id: str, work: Coroutine[None, None, None]) -> None:
        task = self._running[id] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda done: self._ended(id, done))

    async def _answer(self, id: str, home: Project, request: Wanted, who: Visitor) -> None:
        try:
            service = await self._engine.service()
            answer = await service.execute(home, who, request, wanted.demands({}, request))
        except OctonetError as problem:
            if id in self._running:
                self._fail(id, problem)
            return
        # Whoever said that it is complete wants to hear no more of it.
        if id in self._running:
            self._next(id, answer.encode())
            self._write({"id": id, "type": "complete"})
            await self._socket.outlet.drained()

    async def _pump(self, id: str, subscribed: Subscribed, tail: Tail) -> None:
        try:
            while True:
                facts = await tail.take()
                found = [payload for fact in facts if (payload := await subscribed.payload(fact)) is not None]
                self._next(id, *found)
                tail.last = facts[-1].position
                await self._socket.outlet.drained()
        except Broken as broken:
            self._socket.outlet.cut(str(broken))

    def _ended(self, id: str, task: asyncio.Task[None]) -> None:
        if self._running.get(id) is task:
            self._stop(id)
        if not task.cancelled() and (problem := task.exception()) is not None:
            incident = uuid4().hex
            log.error("incident %s: an operation on a GraphQL socket", incident, exc_info=problem)
            self._fail(id, Internal(f"something went wrong inside Octonet; incident {incident}"))

    def _stop(self, id: str) -> None:
        task, tail = self._running.pop(id, None), self._tails.pop(id, None)
        if tail is not None:
            tail.leave()
        # A query or a mutation that was begun is carried out, whoever still listens.
        if task is not None and tail is not None:
            task.cancel()

    def _next(self, id: str, *payloads: bytes) -> None:
        if id in self._running:
            start = b'{"id":%b,"type":"next","payload":' % _encode(id)
            self._socket.outlet.write(b"".join([frames.frame(b"%b%b}" % (start, payload)) for payload in payloads]))

    def _fail(self, id: str, problem: OctonetError) -> None:
        self._write({"id": id, "type": "error", "payload": all_of(problem)})

    def _write(self, message: Mapping[str, object]) -> None:
        self._socket.outlet.write(frames.frame(_encode(message)))

    def _farewell(self, reason: str, _: Position) -> bytes:
        if reason == REVOKED:
            return frames.close_frame(_FORBIDDEN, reason)
        if reason == _TOO_LATE:
            return frames.close_frame(_LATE, reason)
        resume = min((tail.last for tail in self._tails.values()), default=None)
        if resume is not None and self._positions is not None:
            reason = f"{reason}, resume after {self._positions.positions.encode(resume)}"
        return frames.close_frame(WSCloseCode.TRY_AGAIN_LATER, reason)

    def _hush(self) -> None:
        for id in list(self._running):
            self._stop(id)


def _message(text: bytes) -> dict[str, Raw]:
    try:
        content = coerce.json_text(text)
    except OctonetError:
        content = None
    if not isinstance(content, dict):
        raise _Closing(_BAD, "Invalid message received")
    return content


def _id(content: Mapping[str, Raw]) -> str:
    id = content.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= _LONGEST_ID:
        raise _Closing(_BAD, "Invalid message received")
    return id
