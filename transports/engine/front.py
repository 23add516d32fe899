"""The front of a connection: answers plain HTTP/1.1 exchanges itself and leaves everything else to aiohttp.

Nearly every request of a program is whole when it arrives, small, and alone on its connection. Such a request needs a
parser and one task; aiohttp's general machinery for it (a request object, a payload stream, a second task, timers)
costs several times what most operations do. Whatever is not plain, a stream, a large or chunked body, an upgrade, a
pipeline, HTTP/1.0, an error, is handed to an aiohttp connection from the request's first byte on, for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast

import httptools
import msgspec

from octonet.transport import Either, Exchange, Incoming, Reply, Stream
from transports.engine.mounts import Mounts
from transports.engine.reply import encode

_LARGEST = 64 * 1024
"""Bytes of a request that are gathered here; a larger one is aiohttp's."""
_LARGEST_HEAD = 8000
_MOST_HEADERS = 64
_IDLE = 3630.0
"""Seconds a connection may be silent, as long as aiohttp's."""
_NOT_OURS = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"})
_METHODS = frozenset({b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})


FORWARDED: Final = "x-forwarded-for"


def add_header(headers: dict[str, str], name: str, value: str) -> None:
    """Of a name that comes twice the first counts; what proxies add, each in a line of its own, is told whole."""
    if name == FORWARDED and name in headers:
        headers[name] += f", {value}"
    else:
        headers.setdefault(name, value)


class House(msgspec.Struct, frozen=True):
    """What a connection needs of its host."""

    mounts: Mounts
    answer: Callable[[Exchange, Incoming], Awaitable[Reply]]
    """Never raises."""
    share: Callable[[Mapping[str, str]], Mapping[str, str]]
    """Request headers → what their origin is granted."""
    aside: Callable[[], asyncio.Protocol]
    """A new aiohttp connection."""
    largest: int
    """Bytes a body may have."""
    came: Callable[[Front], None]
    left: Callable[[Front], None]
    origin: Callable[[str, Mapping[str, str]], str]
    """The address of the other end and the headers → where the request comes from."""


class Front(asyncio.Protocol):
    """One connection, until it closes or is handed on. Also the callbacks of its parser."""

    __slots__ = (
        "_active",
        "_address",
        "_begun",
        "_body",
        "_complete",
        "_ending",
        "_headers",
        "_held",
        "_house",
        "_loop",
        "_parser",
        "_paused",
        "_plain",
        "_raw",
        "_target",
        "_task",
        "_timer",
        "_transport",
    )

    def __init__(self, house: House) -> None:
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""
        self._held = b""
        self._paused = False
        self._ending = False
        self._active = 0.0
        self._raw = self._target = self._body = b""
        self._headers: dict[str, str] = {}
        self._begun = 0
        self._complete, self._plain = False, True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._active = self._loop.time()
        self._timer = self._loop.call_at(self._active + _IDLE, self._look)
        self._house.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """What is under way goes on: a write is a write, whoever still listens."""
        self._leave()

    def data_received(self, data: bytes) -> None:
        if self._task is None and not self._paused:
            self._take(data)
            return
        self._held += data
        if len(self._held) > _LARGEST:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that has said its last word may still want the answer."""
        self._ending = True
        return self._task is not None

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._task is None:
            self._go_on()

    def finish(self) -> None:
        """Close, as soon as what was asked is answered."""
        self._ending = True
        if self._task is None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    def on_message_begin(self) -> None:
        """See httptools, as for what follows."""
        self._begun += 1

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _NOT_OURS or len(self._headers) >= _MOST_HEADERS:
            self._plain = False
        # The parser leaves what stands behind a value.
        text = value.rstrip(b" \t").decode("utf-8", "surrogateescape")
        add_header(self._headers, name.decode("ascii", "replace"), text)

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        self._complete = True
        # Only here: the parser forgets it with the message.
        self._plain = self._plain and self._parser.should_keep_alive()

    def _take(self, data: bytes) -> None:
        self._active = self._loop.time()
        raw = self._raw = self._raw + data if self._raw else data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._plain = False
        if self._plain and not self._complete and len(raw) <= _LARGEST:
            return
        asked = self._asked() if self._complete and self._plain and self._begun == 1 else None
        if asked is None:
            self._step_aside(raw)
        else:
            self._forget()
            self._task = self._loop.create_task(self._answer(*asked))

    def _asked(self) -> tuple[Exchange, Incoming] | None:
        """The exchange and what it is given; None where aiohttp must see to it."""
        parser, raw = self._parser, self._raw
        method = parser.get_method()
        if (
            method not in _METHODS
            or parser.get_http_version() != "1.1"
            or len(raw) - len(self._body) > _LARGEST_HEAD
            or len(self._body) > self._house.largest
            or not self._target.isascii()
        ):
            return None
        target = self._target.decode("ascii")
        place = self._house.mounts.find(target.partition("?")[0])
        if place is None:
            return None
        door = place.door.chosen(self._headers) if isinstance(place.door, Either) else place.door
        if isinstance(door, Stream):
            return None
        shared = self._house.share(self._headers)
        address = self._house.origin(self._address, self._headers)
        return door, Incoming(
            method.decode(), target, self._headers, self._body, address, place.project, place.below, place.name, shared
        )

    def _forget(self) -> None:
        """Make ready for the next request."""
        self._raw = self._target = self._body = b""
        self._headers = {}
        self._begun = 0
        self._complete, self._plain = False, True

    async def _answer(self, exchange: Exchange, incoming: Incoming) -> None:
        reply = await self._house.answer(exchange, incoming)
        self._task = None
        if self._transport.is_closing():
            return
        self._transport.write(encode(reply, self._ending))
        if self._ending:
            self._transport.close()
        elif self._held:
            self._go_on()

    def _go_on(self) -> None:
        """Take what arrived in the meantime, unless the client must read first."""
        if self._paused or self._transport.is_closing():
            return
        held, self._held = self._held, b""
        if len(held) > _LARGEST:
            self._transport.resume_reading()
        if held:
            self._take(held)

    def _step_aside(self, raw: bytes) -> None:
        connection = self._house.aside()
        self._leave()
        self._transport.set_protocol(connection)
        connection.connection_made(self._transport)
        connection.data_received(raw)

    def _leave(self) -> None:
        self._house.left(self)
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Close a connection that has been silent for long."""
        due = self._active + _IDLE
        if self._task is None and self._loop.time() >= due:
            self._transport.close()
        else:
            self._timer = self._loop.call_at(max(due, self._loop.time() + 1.0), self._look)
