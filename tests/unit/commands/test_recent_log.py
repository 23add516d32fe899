"""What subscribers of a process see of the log: everything, in order, once, and nothing before it is committed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from commands.engine.recent_log import RecentLog
from octonet.kernel.log import Recorded


class ListLog:
    """A log in memory; its readers wait for more."""

    def __init__(self) -> None:
        self.messages: list[Recorded] = []
        self.grown = asyncio.Event()

    def append(self) -> Recorded:
        message = Recorded(len(self.messages) + 1, b"")
        self.messages.append(message)
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()
        return message

    async def last(self) -> int:
        return len(self.messages)

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        while until is None or after < until:
            found = self.messages[after:until]
            if found:
                after = found[-1].sequence
                yield found
            else:
                await self.grown.wait()


async def _collect(recent: RecentLog, after: int, seen: list[int], until: int | None = None) -> None:
    async for messages in recent.read(after, until):
        seen += [message.sequence for message in messages]


@pytest.mark.parametrize("seed", range(20))
async def test_every_message_is_seen_once_in_order_whoever_owns_the_lane(seed: int) -> None:
    dice = random.Random(seed)
    log = ListLog()
    recent = RecentLog(log)
    seen: list[list[int]] = [[] for _ in range(4)]
    readers: list[asyncio.Task[None]] = []
    owned = False
    for step in range(600):
        if step % 150 == 10:
            after = dice.randrange(len(log.messages) + 1)
            seen[len(readers)].append(-after)
            readers.append(asyncio.create_task(_collect(recent, after, seen[len(readers)])))
        turn = dice.random()
        if turn < 0.02:
            owned = not owned
            if owned:
                recent.own(len(log.messages))
            else:
                recent.disown()
        elif owned:
            recent.append(log.append())
            if dice.random() < 0.5:
                recent.show()
        else:
            log.append()
        if dice.random() < 0.3:
            await asyncio.sleep(0)
    recent.disown()
    for _ in range(20):
        await asyncio.sleep(0)
    for task in readers:
        task.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    for first, *found in seen:
        assert found == list(range(1 - first, len(log.messages) + 1))


async def test_nothing_is_seen_before_its_rows_are_committed() -> None:
    log = ListLog()
    recent = RecentLog(log)
    recent.own(0)
    seen: list[int] = []
    reader = asyncio.create_task(_collect(recent, 0, seen))
    recent.append(log.append())
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen == []
    recent.show()
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen == [1]
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)


async def test_a_reader_far_behind_is_served_from_the_log() -> None:
    log = ListLog()
    recent = RecentLog(log)
    recent.own(0)
    for _ in range(1000):
        recent.append(log.append())
        recent.show()
    seen: list[int] = []
    await _collect(recent, 3, seen, until=900)
    assert seen == list(range(4, 901))
