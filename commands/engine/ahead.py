"""The command stream as the worker of this process sees it: what has arrived, and what this process itself has sent and
is not stored yet.

A lane that has nothing else to do may decide a frame of its own process while the broker stores it: the two take about
as long. That is for where few write; where many do, the next frame is stored while the last one is decided, and waiting
makes larger batches, which is worth more. Nothing is appended before the frame is known to be stored as the very
next one; otherwise the decision is forgotten, and made again when the frames arrive.
"""

from __future__ import annotations

import asyncio
from collections import deque

from octonet.kernel.ids import Sequence
from octonet.kernel.log import CommandStream, Recorded

FEW = 64
"""Commands of a frame that is decided early at most: for more, the next frame is sent ahead."""
_MOST_AHEAD = 8
"""Deliveries that wait for the lane before the reader is held back."""
_STORED_WITHIN = 1.0
_REST = 64
"""Frames that are not decided early after one that another process came before: where several send, most are."""


class Offer:
    """A frame of few commands on its way. `stored` holds the sequence it was stored at, 0 when that is not known."""

    __slots__ = ("body", "stored")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def sequence(self) -> int:
        """Where it was stored; 0 when that is not known soon."""
        try:
            async with asyncio.timeout(_STORED_WITHIN):
                return await self.stored
        except TimeoutError:
            return 0


class Ahead:
    """The frames of one project that this process sends, on their way to `stream`."""

    def __init__(self, stream: CommandStream) -> None:
        self._stream = stream
        self._offers: deque[Offer] = deque()
        self.watched = False
        """Whether a lane of this process looks at them."""
        self.moved = asyncio.Event()
        """Set whenever a frame is sent."""

    async def publish(self, frame: bytes, commands: int) -> Sequence:
        """See `CommandStream.publish`; `commands` are in the frame."""
        if commands > FEW or not self.watched:
            return await self._stream.publish(frame)
        offer = Offer(frame)
        self._offers.append(offer)
        self.moved.set()
        sequence = Sequence(0)
        try:
            sequence = await self._stream.publish(frame)
        finally:
            if not offer.stored.done():  # as when nobody waits for it any more
                offer.stored.set_result(sequence)
        return sequence

    def forget(self) -> None:
        """No lane of this process looks at them any more."""
        self.watched = False
        self._offers.clear()

    def first(self, after: int) -> Offer | None:
        """Take the oldest frame that is on its way, or was stored behind sequence `after`."""
        self.drop(after)
        return self._offers.popleft() if self._offers else None

    def drop(self, through: int) -> None:
        """Forget what was stored up to this sequence, or nobody knows where."""
        while self._offers and self._offers[0].stored.done() and self._offers[0].stored.result() <= through:
            self._offers.popleft()


class Arrivals:
    """What a lane is to decide, in order."""

    def __init__(self, stream: CommandStream, ahead: Ahead, after: int) -> None:
        self._stream = stream
        self._ahead = ahead
        ahead.watched = True
        self._queue: deque[list[Recorded]] = deque()
        self._room = asyncio.Event()
        self._rest = 0
        self.few = False
        """Whether the last batch was of few commands."""
        self._pump = asyncio.create_task(self._read(after), name="arrivals")

    async def next(self, after: int) -> list[Recorded] | Offer:
        """The frames that arrived behind sequence `after`; while there is none, one that is on its way. Raises what the
        stream raises."""
        while True:
            if self._queue:
                messages = [message for found in self._queue for message in found if message.sequence > after]
                self._queue.clear()
                self._room.set()
                if messages:
                    self._rest = max(self._rest - len(messages), 0)
                    self._ahead.drop(messages[-1].sequence)
                    return messages
            if self._pump.done():
                self._pump.result()
            if self.few and not self._rest and (offer := self._ahead.first(after)) is not None:
                return offer
            self._ahead.moved.clear()
            await self._ahead.moved.wait()

    def missed(self) -> None:
        """An offer was not the next frame."""
        self._rest = _REST

    async def close(self) -> None:
        """Read nothing more."""
        self._ahead.forget()
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)

    async def _read(self, after: int) -> None:
        try:
            async for messages in self._stream.read(after):
                self._queue.append(messages)
                self._ahead.moved.set()
                while len(self._queue) >= _MOST_AHEAD:
                    self._room.clear()
                    await self._room.wait()
        finally:
            # Whoever waits learns that there will be no more.
            self._ahead.moved.set()
