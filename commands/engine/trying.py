"""What would become of a command, told by the owner of the lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from commands.engine.decider import Item
from commands.engine.frames import FrameCodec
from octonet.kernel.errors import Internal, OctonetError, TooLarge
from octonet.kernel.event import Event
from octonet.kernel.log import Decision, Rejection, Verdict
from octonet.kernel.trial import Tried

Decide: TypeAlias = Callable[[Sequence[Item]], Awaitable[list[Decision]]]

_encode = msgspec.msgpack.Encoder().encode


class Trying:
    """Answers frames of one command. `largest`: bytes that an answer may have."""

    def __init__(self, decide: Decide, codec: FrameCodec, largest: int) -> None:
        self._decide = decide
        self._codec = codec
        self._largest = largest

    async def answer(self, body: bytes) -> bytes:
        """A frame, answered by a `Tried`. Never raises `OctonetError`: that is told."""
        try:
            return await self._answer(body)
        except OctonetError as problem:
            rejection = Rejection(problem.kind, problem.code, problem.message, problem.faults)
            return _encode(Tried(Verdict.REJECTED, rejection=rejection))

    async def _answer(self, body: bytes) -> bytes:
        frame = self._codec.decode(body)
        if frame.problem or len(frame.envelopes) != 1:
            raise Internal(f"what is to be tried out cannot be read: {frame.problem or 'it is not one command'}")
        decision = (await self._decide(frame.envelopes))[0]
        tried = _tried(decision)
        bare = len(_encode(tried))
        if bare > self._largest:
            raise TooLarge("the row that this command would answer with is larger than a message can be")
        return _encode(msgspec.structs.replace(tried, events=_fitting(decision.events, self._largest - bare)))


def _tried(decision: Decision) -> Tried:
    data, version = decision.data, decision.version
    if data is None and decision.events:
        data, version = decision.events[0].data, decision.events[0].version
    return Tried(
        decision.verdict,
        decision.count,
        data,
        0 if data is None else version,
        decision.rejection,
        (),
        len(decision.events),
    )


def _fitting(events: Sequence[Event], room: int) -> tuple[Event, ...]:
    """The first of the facts, as many as there is room for in so many bytes."""
    found: list[Event] = []
    for event in events:
        room -= len(_encode(event))
        if room < 0:
            break
        found.append(event)
    return tuple(found)
