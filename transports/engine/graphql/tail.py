"""Live facts for one subscription, taken at its own pace: what each becomes may need queries of its own."""

from __future__ import annotations

import asyncio
from collections import deque

from octonet.kernel.position import START, Position
from projections.engine.hub import Hub, Subscription
from projections.engine.live import Interest, Live
from transports.engine.outlet import TOO_SLOW

_WRITE = 64 * 1024
"""Bytes of facts that are taken at once."""
_ABOUT = 256
"""Bytes that a fact takes beside its row."""


class Broken(Exception):
    """There will be no more: the reason is its text."""


class Tail:
    """Facts as they come, in order, none twice, none left out. When more than `most` bytes of them wait and others
    come, it is broken. Implements `projections.engine.hub.Subscriber`; whoever takes them notes in `last` the position
    of the last one that was told."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._facts: deque[Live] = deque()
        self._arriving: list[Live] = []
        self._size = 0
        self._reason = ""
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._subscription: Subscription | None = None
        self.last: Position = START

    async def join(self, hub: Hub, interest: Interest, after: Position | None) -> None:
        """Begin. Raises as `Hub.join` does."""
        self._subscription = await hub.join(interest, self._encode, self, after)
        self.last = self._subscription.position

    async def take(self) -> list[Live]:
        """The next facts, as many as one write carries well. Raises `Broken`."""
        while not self._facts:
            if self._reason:
                raise Broken(self._reason)
            self._some.clear()
            await self._some.wait()
        if self._reason == TOO_SLOW:
            raise Broken(self._reason)
        found: list[Live] = []
        size = 0
        while self._facts and size < _WRITE:
            found.append(self._facts.popleft())
            size += _size(found[-1])
        self._size -= size
        if self._size <= self._most // 2:
            self._room.set()
        return found

    def leave(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._subscription.leave()

    def _encode(self, facts: list[Live]) -> bytes:
        # Nobody shares this: the facts themselves are what is wanted.
        self._arriving = facts
        return b""

    def send(self, frames: bytes, last: Position) -> None:
        """See `Subscriber`."""
        facts, self._arriving = self._arriving, []
        if self._size > self._most:
            # What waited was too much already: however large the facts of one moment are, they may come in.
            self.leave()
            self.cut(TOO_SLOW)
            return
        self._facts.extend(facts)
        self._size += sum(map(_size, facts))
        if self._size > self._most // 2:
            self._room.clear()
        self._some.set()

    async def drained(self) -> None:
        """See `Subscriber`. While the past is read, it is read no faster than it is taken."""
        await self._room.wait()

    def cut(self, reason: str) -> None:
        """See `Subscriber`."""
        self._reason = reason
        self._room.set()
        self._some.set()


def _size(fact: Live) -> int:
    return _ABOUT + len(fact.data or b"")
