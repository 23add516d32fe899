"""Commands of one project that arrive while a publish is under way travel together: one message, one fsync."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque

import msgspec

from commands.engine.outcomes import Waiting
from octonet.kernel.envelope import Envelope, Frame
from octonet.kernel.errors import Exhausted, OctonetError
from octonet.kernel.ids import CommandId
from octonet.kernel.log import CommandStream, Outcome
from octonet.kernel.operation import Command

_IN_FLIGHT = 2
_MOST = 512
"""Commands in a frame at most."""

_encoder = msgspec.msgpack.Encoder()


class Framer:
    """Packs envelopes into frames: flushed on the next turn of the loop while fewer than two frames are in flight,
    else when one of them is acknowledged. There is no timer."""

    def __init__(self, stream: CommandStream, waiting: Waiting, reply: str, largest: int) -> None:
        self._stream = stream
        self._waiting = waiting
        self._reply = reply
        self._largest = largest
        self._queue: deque[tuple[CommandId, bytes]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._loop = asyncio.get_running_loop()

    def submit(self, envelope: Envelope[Command], patience: float) -> asyncio.Future[Outcome]:
        """Queue a command; the future holds its outcome. Raises `Exhausted` when it is larger than a message."""
        body = _encoder.encode(envelope)
        if len(body) > self._largest - 1024:
            raise Exhausted(
                f"the command has {len(body)} bytes, more than the {self._largest - 1024} that fit one message",
                code="COMMAND_TOO_LARGE",
            )
        future = self._waiting.expect(envelope.id, patience)
        self._queue.append((envelope.id, body))
        self._schedule()
        return future

    async def drain(self) -> None:
        """Wait until everything queued is recorded."""
        while self._queue or self._in_flight:
            await asyncio.sleep(0.01)

    def _schedule(self) -> None:
        if not self._scheduled and len(self._in_flight) < _IN_FLIGHT:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if not self._queue:
            return
        ids: list[CommandId] = []
        bodies: list[msgspec.Raw] = []
        size = 0
        while self._queue and len(ids) < _MOST and (not ids or size + len(self._queue[0][1]) < self._largest - 1024):
            id, body = self._queue.popleft()
            ids.append(id)
            bodies.append(msgspec.Raw(body))
            size += len(body)
        frame = _encoder.encode(Frame[msgspec.Raw](self._reply, bodies))  # type: ignore[arg-type]
        task = self._loop.create_task(self._publish(frame, ids))
        self._in_flight.add(task)
        task.add_done_callback(self._landed)
        if self._queue:
            self._schedule()

    async def _publish(self, frame: bytes, ids: list[CommandId]) -> None:
        try:
            await self._stream.publish(frame, secrets.token_hex(12))
        except OctonetError as problem:
            for id in ids:
                self._waiting.fail(id, problem)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if self._queue:
            self._schedule()
