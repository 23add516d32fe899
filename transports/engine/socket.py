"""One WebSocket connection, whatever is spoken over it: messages come in one by one, whole frames go out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Literal
from uuid import uuid4

from aiohttp import WSCloseCode, WSMsgType, web

from octonet.kernel.position import Position
from octonet.transport import HttpSettings
from transports.engine.outlet import Outlet

log = logging.getLogger("octonet.socket")

_LARGEST_MESSAGE = 1024 * 1024
_IN_FLIGHT = 64
_FAREWELL = 2.0
"""Seconds a client may take to answer a close."""
_GRACE = 5.0
"""Seconds that requests under way get when the server stops."""
_SHUTTING_DOWN = b"Server shutting down"


class _Response(web.WebSocketResponse[Literal[False]]):
    """A WebSocket that pushes nothing more once its close frame is on the way, whoever asked for the close."""

    before_close: Callable[[], None]

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        self.before_close()
        return await super().close(code=code, message=message, drain=drain)


class Socket:
    """The connection. `take` is handed each text message, one after the other; what it starts with `start` goes on
    beside the messages that follow, up to a bound. Everything is written through `outlet`, in whole frames. `farewell`
    makes the last frame of a client that is cut; `hush` is called when nothing more may be said."""

    def __init__(
        self,
        request: web.BaseRequest,
        settings: HttpSettings,
        take: Callable[[bytes], Awaitable[None]],
        farewell: Callable[[str, Position], bytes],
        hush: Callable[[], None],
        protocols: Sequence[str] = (),
    ) -> None:
        self.outlet = Outlet(request, settings.max_buffer, farewell)
        self._request = request
        self._take = take
        self._hush = hush
        self._response = _Response(
            heartbeat=settings.heartbeat,
            compress=False,
            max_msg_size=_LARGEST_MESSAGE,
            decode_text=False,
            timeout=_FAREWELL,
            protocols=protocols,
        )
        self._response.before_close = self._be_quiet
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._kept = False
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def protocol(self) -> str | None:
        """The subprotocol that both sides agreed on."""
        return self._response.ws_protocol

    async def run(self, greeting: bytes) -> web.StreamResponse:
        """Serve until either side closes; the frames of `greeting` go first."""
        try:
            await self._response.prepare(self._request)
            self.outlet.open(greeting)
            await self._read()
        finally:
            self._be_quiet()
        return self._response

    def start(self, work: Coroutine[None, None, None], failed: Callable[[str], bytes]) -> None:
        """Do this beside the messages that follow. What nobody foresaw is logged under the number of an incident, and
        the frame that `failed` makes of it is written."""
        task = asyncio.get_running_loop().create_task(work)
        self._kept = True
        self._under_way.add(task)
        task.add_done_callback(lambda done: self._done(done, failed))

    async def finish(self) -> None:
        """Answer what was asked, then close."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_GRACE)
        await self.close(WSCloseCode.OK, _SHUTTING_DOWN)

    async def close(self, code: int, reason: bytes) -> None:
        """Close, if it was ever open."""
        if self._response.prepared:
            await self._response.close(code=code, message=reason)

    async def _read(self) -> None:
        while True:
            await self._room.acquire()
            message = await self._response.receive()
            if message.type is WSMsgType.BINARY:
                await self._response.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"messages are JSON text")
                return
            if message.type is not WSMsgType.TEXT:
                return
            self._kept = False
            await self._take(message.data)
            if not self._kept:
                await self.outlet.drained()
                self._room.release()

    def _done(self, task: asyncio.Task[None], failed: Callable[[str], bytes]) -> None:
        self._under_way.discard(task)
        self._room.release()
        if not task.cancelled() and (problem := task.exception()) is not None:
            incident = uuid4().hex
            log.error("incident %s: a message on a socket", incident, exc_info=problem)
            self.outlet.write(failed(incident))

    def _be_quiet(self) -> None:
        self.outlet.over.set()
        self._hush()
