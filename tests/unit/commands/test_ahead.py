"""What a lane is given to decide: frames that arrived, in order, and early those that its own process sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from commands.engine.ahead import FEW, Ahead, Arrivals, Offer
from octonet.kernel.errors import OutcomeUnknown
from octonet.kernel.ids import Sequence
from octonet.kernel.log import LogGap, Recorded


class Broker:
    """A command stream that stores and delivers when it is told to."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.held: list[tuple[bytes, asyncio.Future[Sequence]]] = []
        self.delivered = 0
        self.grown = asyncio.Event()
        self.broken: Exception | None = None

    async def publish(self, frame: bytes) -> Sequence:
        future: asyncio.Future[Sequence] = asyncio.get_running_loop().create_future()
        self.held.append((frame, future))
        return await future

    def store(self) -> None:
        """The oldest frame on its way is stored and acknowledged."""
        frame, future = self.held.pop(0)
        self.stored.append(frame)
        future.set_result(Sequence(len(self.stored)))

    def deliver(self) -> None:
        """Everything stored reaches the readers."""
        self.delivered = len(self.stored)
        self.grown.set()

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        while True:
            if self.broken is not None:
                raise self.broken
            found = [Recorded(n, b) for n, b in enumerate(self.stored[after : self.delivered], after + 1)]
            if found:
                after = found[-1].sequence
                yield found
            else:
                self.grown.clear()
                await self.grown.wait()


class Bench:
    def __init__(self) -> None:
        self.broker = Broker()
        self.ahead = Ahead(self.broker)  # type: ignore[arg-type]  # only what is used
        self.arrivals = Arrivals(self.broker, self.ahead, 0)  # type: ignore[arg-type]
        self.arrivals.few = True
        self.sent: list[asyncio.Task[Sequence]] = []

    async def send(self, frame: bytes, commands: int = 1) -> None:
        self.sent.append(asyncio.create_task(self.ahead.publish(frame, commands)))
        await asyncio.sleep(0)

    async def next(self, after: int) -> list[Recorded] | Offer:
        return await asyncio.wait_for(self.arrivals.next(after), 30)

    async def silent(self, after: int) -> bool:
        try:
            await asyncio.wait_for(self.arrivals.next(after), 0.05)
        except TimeoutError:
            return True
        return False


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    found = Bench()
    yield found
    await found.arrivals.close()
    for task in found.sent:
        task.cancel()
    await asyncio.gather(*found.sent, return_exceptions=True)


async def test_a_frame_is_offered_while_it_is_stored_and_not_given_twice(bench: Bench) -> None:
    await bench.send(b"one")
    offer = await bench.next(0)
    assert isinstance(offer, Offer)
    assert (offer.body, offer.stored.done()) == (b"one", False)
    bench.broker.store()
    assert await asyncio.wait_for(asyncio.shield(offer.stored), 30) == 1
    bench.broker.deliver()
    assert await bench.silent(1)


async def test_a_frame_that_is_acknowledged_before_it_is_delivered_is_offered_first(bench: Bench) -> None:
    await bench.send(b"one")
    await bench.send(b"two")
    bench.broker.store()
    await asyncio.sleep(0.01)
    first = await bench.next(0)
    assert isinstance(first, Offer)
    assert (first.body, first.stored.result()) == (b"one", 1)
    second = await bench.next(1)
    assert isinstance(second, Offer)
    assert second.body == b"two"


async def test_what_has_arrived_goes_first_and_together(bench: Bench) -> None:
    for frame in (b"one", b"two"):
        await bench.send(frame)
        bench.broker.store()
    await bench.send(b"three")
    bench.broker.deliver()
    await asyncio.sleep(0.01)
    assert await bench.next(0) == [Recorded(1, b"one"), Recorded(2, b"two")]
    offer = await bench.next(2)
    assert isinstance(offer, Offer)
    assert offer.body == b"three"


async def test_after_a_miss_nothing_is_offered_for_a_while(bench: Bench) -> None:
    bench.broker.stored.append(b"of another process")
    await bench.send(b"one")
    offer = await bench.next(0)
    assert isinstance(offer, Offer)
    bench.broker.store()
    assert await asyncio.wait_for(asyncio.shield(offer.stored), 30) == 2
    bench.arrivals.missed()
    await bench.send(b"two")
    assert await bench.silent(0)
    bench.broker.deliver()
    assert await bench.next(0) == [Recorded(1, b"of another process"), Recorded(2, b"one")]
    bench.broker.store()
    bench.broker.deliver()
    assert await bench.next(2) == [Recorded(3, b"two")]
    bench.broker.stored += [b"x"] * 70
    bench.broker.deliver()
    assert len(await bench.next(3)) == 70  # type: ignore[arg-type]
    await bench.send(b"three")
    assert isinstance(await bench.next(73), Offer)


async def test_a_frame_whose_fate_is_unknown_is_known_by_no_sequence(bench: Bench) -> None:
    await bench.send(b"one")
    offer = await bench.next(0)
    assert isinstance(offer, Offer)
    bench.broker.held[0][1].set_exception(OutcomeUnknown())
    with pytest.raises(OutcomeUnknown):
        await bench.sent[0]
    assert offer.stored.result() == 0


async def test_a_gap_reaches_whoever_waits(bench: Bench) -> None:
    waiting = asyncio.create_task(bench.arrivals.next(0))
    await asyncio.sleep(0.01)
    bench.broker.broken = LogGap("gone")
    bench.broker.grown.set()
    with pytest.raises(LogGap):
        await asyncio.wait_for(waiting, 30)


async def test_without_a_lane_nothing_is_kept(bench: Bench) -> None:
    await bench.arrivals.close()
    await bench.send(b"one")
    assert bench.ahead.first(0) is None


async def test_a_frame_of_few_commands_is_offered_as_one_of_one(bench: Bench) -> None:
    await bench.send(b"of few", FEW)
    offer = await bench.next(0)
    assert isinstance(offer, Offer)
    assert offer.body == b"of few"


async def test_where_many_write_nothing_is_decided_early(bench: Bench) -> None:
    await bench.send(b"of many", FEW + 1)
    assert await bench.silent(0)
    bench.arrivals.few = False
    await bench.send(b"one")
    assert await bench.silent(0)
