"""tRPC over a WebSocket: calls and subscriptions of one client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import WSCloseCode, web

from octonet.access.principal import REVOKED, Visitor
from octonet.gateway import Gateway
from octonet.kernel.errors import Exhausted, Internal, OctonetError, invalid
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Raw
from octonet.kernel.position import Position
from octonet.transport import HttpSettings
from transports.engine import coerce, frames
from transports.engine.outlet import Feed
from transports.engine.socket import Socket
from transports.engine.trpc import procedures, watch, wire
from transports.engine.trpc.calls import Calls
from transports.engine.trpc.procedures import Kind, Procedure

Admit = Callable[[dict[str, Raw]], Awaitable[Visitor]]
"""Lets in whoever showed these connection parameters. Raises `OctonetError`."""

_MOST_SUBSCRIPTIONS: Final = 100
_MOST_MESSAGES: Final = 100
"""In one frame."""
_CONNECTION: Final = "connectionParams"
_STOP: Final = "subscription.stop"
_RECONNECT: Final = b'{"id":null,"method":"reconnect"}'
_PING, _PONG = b"PING", b"PONG"
_RESULT: Final = len(b'{"result":{')
_encode = msgspec.json.Encoder().encode


class _Message(msgspec.Struct, frozen=True):
    id: bytes
    """As JSON text."""
    method: str
    path: str = ""
    given: Raw = msgspec.UNSET


class Talk:
    """One connection to one project. `who` is None until its first message says who it is."""

    def __init__(
        self,
        gateway: Gateway,
        calls: Calls,
        project: ProjectName,
        request: web.BaseRequest,
        settings: HttpSettings,
        admit: Admit,
        who: Visitor | None,
    ) -> None:
        self._gateway = gateway
        self._calls = calls
        self._project = project
        self._admit = admit
        self._who = who
        self._unwatch: Callable[[], None] = lambda: None
        self._feeds: dict[bytes, Feed] = {}
        self._socket = Socket(request, settings, self._take, self._farewell, self._hush)

    async def run(self) -> web.StreamResponse:
        """Serve until either side closes."""
        if self._who is not None:
            self._known(self._who)
        try:
            return await self._socket.run(b"")
        finally:
            self._unwatch()

    async def finish(self) -> None:
        """Tell the client to come again, answer what was asked, and close."""
        self._write(_RECONNECT)
        await self._socket.finish()

    def _known(self, who: Visitor) -> None:
        self._who = who
        self._unwatch = who.principal.watch(lambda: self._socket.outlet.cut(REVOKED))

    async def _take(self, text: bytes) -> None:
        if text in (_PING, _PONG):
            if text == _PING:
                self._write(_PONG)
            return
        try:
            content = coerce.json_text(text)
            messages = content if isinstance(content, list) else [content]
            if len(messages) > _MOST_MESSAGES:
                raise Exhausted(f"a frame holds at most {_MOST_MESSAGES} messages", code="BATCH_TOO_LARGE")
            if self._who is None:
                await self._introduce(messages)
                return
        except OctonetError as problem:
            self._fail(b"null", problem)
            return
        for message in messages:
            await self._begin(message, self._who)

    async def _introduce(self, messages: list[Raw]) -> None:
        """The first message of a client that said it would introduce itself."""
        first = messages[0] if len(messages) == 1 else None
        params = first.get("data") if isinstance(first, dict) and first.get("method") == _CONNECTION else None
        try:
            if not isinstance(params, dict | None):
                raise invalid("$.data", "must be a JSON object")
            self._known(await self._admit(params or {}))
        except OctonetError as problem:
            self._fail(b"null", problem)
            await self._socket.close(WSCloseCode.POLICY_VIOLATION, problem.code.encode())

    async def _begin(self, content: Raw, who: Visitor) -> None:
        id, path = b"null", ""
        try:
            id = _id(content)
            message = _message(id, content)
            if message.method == _STOP:
                self._stop(id)
                return
            path = message.path
            procedure = procedures.find(self._gateway.operations, path)
            if procedure.kind != message.method:
                raise invalid("$.method", f"must be {procedure.kind.value!r} for this procedure")
            if procedure.kind is Kind.SUBSCRIPTION:
                await self._subscribe(message, procedure, who)
            else:
                self._socket.start(self._answer(message, procedure, who), lambda incident: _lost(id, path, incident))
        except OctonetError as problem:
            self._fail(id, problem, path)

    async def _answer(self, message: _Message, procedure: Procedure, who: Visitor) -> None:
        try:
            found = await self._calls.call(self._project, procedure, message.given, who)
            # The same as over HTTP, with what it is in it.
            self._write(b'{"id":%b,"result":{"type":"data",%b' % (message.id, found.body[_RESULT:]))
        except OctonetError as problem:
            self._fail(message.id, problem, message.path)
        await self._socket.outlet.drained()

    async def _subscribe(self, message: _Message, procedure: Procedure, who: Visitor) -> None:
        if message.id in self._feeds:
            raise invalid("$.id", "is that of a subscription already", code="DUPLICATE_ID")
        if len(self._feeds) >= _MOST_SUBSCRIPTIONS:
            raise Exhausted(f"a connection can have {_MOST_SUBSCRIPTIONS} subscriptions")
        home = await self._gateway.enter(self._project, who)
        watched = watch.read(home, procedure, message.given)
        outlet = self._socket.outlet
        feed = outlet.feed()
        try:
            await feed.join(home.hub, watched.interest, wire.socket_events(message.id), watched.after)
        except OctonetError:
            outlet.feeds.remove(feed)
            raise
        self._feeds[message.id] = feed
        # Before any fact: those come with the next turn of the loop.
        self._write(b'{"id":%b,"result":{"type":"started"}}' % message.id)

    def _stop(self, id: bytes) -> None:
        feed = self._feeds.pop(id, None)
        if feed is not None:
            feed.leave()
            self._socket.outlet.feeds.remove(feed)
            self._write(b'{"id":%b,"result":{"type":"stopped"}}' % id)

    def _fail(self, id: bytes, problem: OctonetError, path: str = "") -> None:
        self._write(b'{"id":%b,"error":%b}' % (id, wire.error(problem, path)))

    def _write(self, text: bytes) -> None:
        self._socket.outlet.write(frames.frame(text))

    def _farewell(self, reason: str, _: Position) -> bytes:
        # A client goes on behind the last fact it was told of, and knows which that is.
        code = WSCloseCode.POLICY_VIOLATION if reason == REVOKED else WSCloseCode.TRY_AGAIN_LATER
        return frames.close_frame(code, reason)

    def _hush(self) -> None:
        for feed in self._feeds.values():
            feed.leave()
        self._feeds.clear()


def _id(content: Raw) -> bytes:
    if not isinstance(content, dict):
        raise invalid("$", "must be a JSON object", code="PARSE_ERROR")
    id = content.get("id")
    if isinstance(id, bool) or not isinstance(id, int | str) or len(str(id)) > 64:
        raise invalid("$.id", "must be a number or text", code="PARSE_ERROR")
    return _encode(id)


def _message(id: bytes, content: Raw) -> _Message:
    assert isinstance(content, dict)
    method = content.get("method")
    if method == _STOP:
        return _Message(id, _STOP)
    if method not in tuple(Kind):
        raise invalid("$.method", "must be 'query', 'mutation', 'subscription' or 'subscription.stop'")
    params = content.get("params")
    path = params.get("path") if isinstance(params, dict) else None
    if not isinstance(params, dict) or not isinstance(path, str):
        raise invalid("$.params", "must be a JSON object with the path of a procedure")
    given = params.get("input", msgspec.UNSET)
    if "lastEventId" in params:
        given = {**procedures.members(given), "lastEventId": params["lastEventId"]}
    return _Message(id, str(method), path, given)


def _lost(id: bytes, path: str, incident: str) -> bytes:
    problem = Internal(f"something went wrong inside Octonet; incident {incident}")
    return frames.frame(b'{"id":%b,"error":%b}' % (id, wire.error(problem, path)))
