"""Commands of one project that arrive while a publish is under way travel together: one message, one fsync."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from commands.engine.ahead import Ahead
from commands.engine.outcomes import Waiting
from octonet.kernel.envelope import Draft, Envelope
from octonet.kernel.errors import InFlight, OctonetError, TooLarge
from octonet.kernel.ids import CommandId
from octonet.kernel.log import Outcome
from octonet.kernel.operation import Command

_IN_FLIGHT = 2
_MOST = 512
"""Commands in a frame at most."""
_FRAMING = 1024
"""Bytes that a frame adds to its commands, and then some."""

_Waiter: TypeAlias = tuple[Draft[Command], asyncio.Future[Outcome], float]

_encoder = msgspec.msgpack.Encoder()


class Framer:
    """Packs envelopes into frames: flushed on the next turn of the loop while fewer than two frames are in flight,
    else when one of them is acknowledged. There is no timer."""

    def __init__(self, ahead: Ahead, waiting: Waiting, reply: str, largest: int, now: Callable[[], int]) -> None:
        self._ahead = ahead
        self._waiting = waiting
        self._reply = reply
        self._largest = largest - _FRAMING
        self._now = now
        self._drafts: deque[_Waiter] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._loop = asyncio.get_running_loop()

    def submit(self, draft: Draft[Command], patience: float) -> asyncio.Future[Outcome]:
        """Queue a command; the future holds its outcome, or why it was refused: `TooLarge` when it is larger than a
        message, `Unavailable` while the lane stands still."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        if self._waiting.trouble is not None:
            future.set_exception(self._waiting.trouble)
            return future
        self._drafts.append((draft, future, self._loop.time() + patience))
        self._schedule()
        return future

    async def drain(self) -> None:
        """Wait until everything queued is recorded."""
        while self._drafts or self._in_flight:
            await asyncio.sleep(0.01)

    def _schedule(self) -> None:
        if not self._scheduled and len(self._in_flight) < _IN_FLIGHT:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        frame = self._pack()
        if frame is not None:
            task = self._loop.create_task(self._publish(*frame))
            self._in_flight.add(task)
            task.add_done_callback(self._landed)
        if self._drafts:
            self._schedule()

    def _pack(self) -> tuple[bytes, list[CommandId]] | None:
        """One frame of what is queued, as much as fits; None when all of it was refused."""
        now, size = self._now(), 0
        ids: list[CommandId] = []
        bodies: list[msgspec.Raw] = []
        while self._drafts and len(ids) < _MOST:
            draft, future, until = self._drafts.popleft()
            try:
                envelope = draft.envelope(now)
                if envelope.id in self._waiting:
                    raise InFlight
                body = self._encode(envelope)
            except Exception as problem:  # whatever it is, its own caller is told, and nobody else's command waits
                if not future.done():
                    future.set_exception(problem)
                continue
            if ids and size + len(body) > self._largest:
                self._drafts.appendleft((draft, future, until))
                break
            self._waiting.expect(envelope.id, future, until)
            ids.append(envelope.id)
            bodies.append(msgspec.Raw(body))
            size += len(body)
        return (_encoder.encode((self._reply, bodies)), ids) if ids else None

    def _encode(self, envelope: Envelope[Command]) -> bytes:
        body = _encoder.encode(envelope)
        if len(body) > self._largest:
            raise TooLarge(f"the command has {len(body)} bytes, more than the {self._largest} that fit one message")
        return body

    async def _publish(self, frame: bytes, ids: list[CommandId]) -> None:
        try:
            await self._ahead.publish(frame, len(ids))
        except OctonetError as problem:
            for id in ids:
                self._waiting.fail(id, problem)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if self._drafts:
            self._schedule()
