"""One client of pushed facts: whole frames straight to its socket, and an end for those who do not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from octonet.kernel.position import START, Position
from projections.engine.hub import Encode, Hub, Subscription
from projections.engine.live import Interest

_PATIENCE = 30.0
"""Seconds a client may take without reading anything of what it asked for."""
_LAST_WORDS = 5.0
"""Seconds a closed connection may take to deliver what is still under way."""

TOO_SLOW = "too slow"


class Outlet:
    """The way to one client's socket, past the response object: what is written here is already framed, and whole, so
    that it never lands inside another frame.

    Until `open` is called everything is held back. When more than `bound` bytes wait for the client it is cut, with
    the frames that `farewell` makes of the reason and of the position it can resume from.
    """

    def __init__(self, request: web.BaseRequest, bound: int, farewell: Callable[[str, Position], bytes]) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client is gone")
        self._transport = transport
        self._request = request
        self._bound = bound
        self._farewell = farewell
        self._held: list[bytes] = []
        self._opened = asyncio.Event()
        self.feeds: list[Feed] = []
        self.over = asyncio.Event()
        """Set when nothing more is to be pushed."""

    @property
    def gone(self) -> bool:
        """Whether the client can no longer be reached."""
        return self._transport.is_closing()

    def feed(self) -> Feed:
        """A new subscriber that writes here."""
        found = Feed(self)
        self.feeds.append(found)
        return found

    def open(self, greeting: bytes) -> None:
        """The headers are sent: write the greeting, then what was held back, from now on directly."""
        self._opened.set()
        self.write(greeting + b"".join(self._held))
        self._held.clear()

    def write(self, frame: bytes) -> None:
        """Write, if the client is still there."""
        if self._transport.is_closing():
            self.over.set()
        elif not self.over.is_set():
            self._transport.write(frame)

    def push(self, frames: bytes) -> bool:
        """Write facts, or cut the client that does not read them; whether they were written."""
        transport = self._transport
        if transport.is_closing():
            self.over.set()
        elif not self._opened.is_set():
            self._held.append(frames)
            return True
        elif transport.get_write_buffer_size() > self._bound:
            self.cut(TOO_SLOW)
        elif not self.over.is_set():
            transport.write(frames)
            return True
        return False

    async def drained(self) -> None:
        """Wait until the client has read most of what was written; one that reads nothing for long is cut."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._opened.wait()
                await self._request.writer.drain()
        except ConnectionError:
            self.over.set()
        except TimeoutError:
            self.cut(TOO_SLOW)

    def cut(self, reason: str) -> None:
        """Say why and where to resume, and close the connection."""
        if self.over.is_set():
            return
        if self._opened.is_set():
            resume = min((feed.last for feed in self.feeds), default=START)
            self.write(self._farewell(reason, resume))
        self.over.set()
        for feed in self.feeds:
            feed.leave()
        self._transport.close()
        asyncio.get_running_loop().call_later(_LAST_WORDS, self._transport.abort)


class Feed:
    """One subscription of a client. Implements `projections.engine.hub.Subscriber`."""

    __slots__ = ("_outlet", "_subscription", "last")

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._subscription: Subscription | None = None
        self.last = START
        """The position of the last fact written, or where the subscription began."""

    async def join(self, hub: Hub, interest: Interest, encode: Encode, after: Position | None) -> Position:
        """Subscribe; returns the position from which on. Raises as `Hub.join` does."""
        self._subscription = await hub.join(interest, encode, self, after)
        self.last = self._subscription.position
        return self.last

    def leave(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._subscription.leave()

    def send(self, frames: bytes, last: Position) -> None:
        """See `Subscriber`."""
        if self._outlet.push(frames):
            self.last = last

    async def drained(self) -> None:
        """See `Subscriber`."""
        await self._outlet.drained()

    def cut(self, reason: str) -> None:
        """See `Subscriber`."""
        self._outlet.cut(reason)
