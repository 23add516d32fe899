"""Commands of one project that arrive while a frame is on its way travel together: one message, one fsync.

A frame is on its way until its commands are decided. A frame and its entry in the log cost the processors about as much
as thirty commands do, so that it pays to let the next frame gather for so long; only where many commands wait is the
next one sent ahead, to be stored while the first is decided.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from commands.engine.ahead import FEW, Ahead
from commands.engine.outcomes import Waiting
from octonet.kernel.envelope import Draft
from octonet.kernel.errors import CHANGE_SET_REFUSED, Conflict, InFlight, OctonetError, TooLarge
from octonet.kernel.ids import CommandId
from octonet.kernel.log import Outcome
from octonet.kernel.operation import Command

_ON_THE_WAY = 2
_OVERDUE = 0.05
"""Seconds after which a stored frame is not waited for: its worker may be far, or there may be none for a while."""
_MOST = 512
"""Commands in a frame at most."""
_FRAMING = 1024
"""Bytes that a frame adds to its commands, and then some."""

_Waiter: TypeAlias = tuple[tuple[tuple[Draft[Command], asyncio.Future[Outcome]], ...], float]
"""Drafts that must not be parted, and until when their callers wait."""

_encoder = msgspec.msgpack.Encoder()


class Framer:
    """Packs envelopes into frames: flushed on the next turn of the loop while none is on its way, or one and there is
    enough for another, else when one has arrived."""

    def __init__(self, ahead: Ahead, waiting: Waiting, reply: str, largest: int, now: Callable[[], int]) -> None:
        self._ahead = ahead
        self._waiting = waiting
        self._reply = reply
        self._largest = largest - _FRAMING
        self._now = now
        self._drafts: deque[_Waiter] = deque()
        self._on_the_way: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._loop = asyncio.get_running_loop()

    def submit(self, draft: Draft[Command], patience: float) -> asyncio.Future[Outcome]:
        """Queue a command; the future holds its outcome, or why it was refused: `TooLarge` when it is larger than a
        message, `Unavailable` while the lane stands still."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        if self._waiting.trouble is not None:
            future.set_exception(self._waiting.trouble)
            return future
        self._drafts.append((((draft, future),), self._loop.time() + patience))
        self._schedule()
        return future

    def submit_together(self, drafts: Sequence[Draft[Command]], patience: float) -> list[asyncio.Future[Outcome]]:
        """The same for a change set: all of it is in one frame, or nothing."""
        futures: list[asyncio.Future[Outcome]] = [self._loop.create_future() for _ in drafts]
        if self._waiting.trouble is not None:
            _refuse(futures, len(futures), self._waiting.trouble)
        else:
            self._drafts.append((tuple(zip(drafts, futures, strict=True)), self._loop.time() + patience))
            self._schedule()
        return futures

    async def drain(self) -> None:
        """Wait until everything queued is recorded."""
        while self._drafts or self._on_the_way:
            await asyncio.sleep(0.01)

    def _schedule(self) -> None:
        ahead = len(self._on_the_way)
        if not self._scheduled and (not ahead or (ahead < _ON_THE_WAY and len(self._drafts) >= FEW)):
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        frame = self._pack()
        if frame is not None:
            task = self._loop.create_task(self._send(*frame))
            self._on_the_way.add(task)
            task.add_done_callback(self._landed)
        if self._drafts:
            self._schedule()

    def _pack(self) -> tuple[bytes, list[CommandId], asyncio.Future[Outcome]] | None:
        """One frame of what is queued, as much as fits, and the outcome of its last command; None when all of it was
        refused."""
        now, size = self._now(), 0
        ids: list[CommandId] = []
        last: asyncio.Future[Outcome] | None = None
        bodies: list[msgspec.Raw] = []
        while self._drafts and len(ids) < _MOST:
            waiter = self._drafts.popleft()
            drafts, until = waiter
            made: list[tuple[CommandId, bytes]] = []
            try:
                for draft, _ in drafts:
                    made.append(self._envelope(draft, now))  # how far it came tells which one failed
                length = sum(len(body) for _, body in made)
                if length > self._largest:
                    raise _too_large(length, self._largest)
            except Exception as problem:  # whatever it is, its own caller is told, and nobody else's command waits
                _refuse([future for _, future in drafts], len(made), problem)
                continue
            if ids and (size + length > self._largest or len(ids) + len(made) > _MOST):
                self._drafts.appendleft(waiter)
                break
            for (id, body), (_, future) in zip(made, drafts, strict=True):
                self._waiting.expect(id, future, until)
                ids.append(id)
                last = future
                bodies.append(msgspec.Raw(body))
            size += length
        return None if last is None else (_encoder.encode((self._reply, bodies)), ids, last)

    def _envelope(self, draft: Draft[Command], now: int) -> tuple[CommandId, bytes]:
        envelope = draft.envelope(now)
        if envelope.id in self._waiting:
            raise InFlight
        return envelope.id, _encoder.encode(envelope)

    async def _send(self, frame: bytes, ids: list[CommandId], last: asyncio.Future[Outcome]) -> None:
        try:
            await self._ahead.publish(frame, len(ids))
        except OctonetError as problem:
            for id in ids:
                self._waiting.fail(id, problem)
        else:
            await asyncio.wait((last,), timeout=_OVERDUE)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._on_the_way.discard(task)
        if self._drafts:
            self._schedule()


def _refuse(futures: Sequence[asyncio.Future[Outcome]], guilty: int, problem: Exception) -> None:
    """Tell the one at `guilty` its problem, and the others that they came with it; all the problem, where there is no
    such one."""
    for index, future in enumerate(futures):
        if not future.done():
            alone = guilty in (index, len(futures))
            future.set_exception(problem if alone else Conflict("another request was refused", code=CHANGE_SET_REFUSED))


def _too_large(length: int, largest: int) -> TooLarge:
    return TooLarge(f"the command has {length} bytes, more than the {largest} that fit one message")
