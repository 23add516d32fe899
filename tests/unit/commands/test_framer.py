"""A draft that cannot be turned into an envelope is its caller's trouble alone."""

from __future__ import annotations

import asyncio

import pytest

from commands.delete import Delete
from commands.engine.ahead import Ahead
from commands.engine.framer import Framer
from commands.engine.outcomes import Waiting
from octonet.kernel.envelope import Actor, Envelope
from octonet.kernel.errors import Invalid, OutcomeUnknown
from octonet.kernel.ids import CommandId, EntityId, Sequence
from octonet.kernel.operation import Command


class Wish:
    """A draft that gives an envelope, or raises."""

    def __init__(self, id: str, problem: Exception | None = None) -> None:
        self._id = id
        self._problem = problem

    def envelope(self, at: int) -> Envelope[Command]:
        if self._problem is not None:
            raise self._problem
        return Envelope(CommandId(self._id), at, Actor(), Delete("Tag", EntityId("t")))


class DeafStream:
    """A command stream that stores nothing, and says so."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    async def publish(self, frame: bytes) -> Sequence:
        self.frames.append(frame)
        raise OutcomeUnknown


@pytest.mark.parametrize("problem", [Invalid("no"), RuntimeError("a fault of ours")])
async def test_neighbours_of_a_draft_that_fails_go_on(problem: Exception) -> None:
    stream = DeafStream()
    framer = Framer(Ahead(stream), Waiting(), "", 10_000, lambda: 1)  # type: ignore[arg-type]  # only publish is used
    wishes = [Wish("a"), Wish("b", problem), Wish("c")]
    found = await asyncio.gather(*(framer.submit(wish, 5.0) for wish in wishes), return_exceptions=True)
    assert [type(one) for one in found] == [OutcomeUnknown, type(problem), OutcomeUnknown]
    assert len(stream.frames) == 1
    await framer.drain()
