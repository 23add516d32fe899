"""What waits for a client that watches is bounded, and nothing of it is lost or told twice."""

from __future__ import annotations

import asyncio

from octonet.kernel.position import START, Position
from transports.engine.grpc.watch import Channel


async def test_what_is_sent_is_taken_in_order_and_says_where_to_go_on() -> None:
    channel = Channel(100)
    assert channel.last == START
    for entry in (1, 2):
        channel.send(b"x" * entry, Position(entry))
    assert [await channel.next(), channel.last] == [b"x", Position(1)]
    assert [await channel.next(), channel.last] == [b"xx", Position(2)]


async def test_a_client_that_reads_too_slowly_is_cut_and_goes_on_from_what_it_has() -> None:
    channel = Channel(10)
    for entry in range(1, 5):
        channel.send(b"x" * 6, Position(entry))
    assert channel.problem is not None
    assert channel.problem.code == "TOO_SLOW"
    assert await channel.next() is None
    assert channel.last == START
    # The hub may not have heard of it yet.
    channel.send(b"x", Position(9))
    assert await channel.next() is None


async def test_whoever_reads_the_past_waits_until_the_client_has_taken_half_of_what_may_wait() -> None:
    channel = Channel(10)
    channel.send(b"x" * 6, Position(1))
    waiting = asyncio.create_task(channel.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    await channel.next()
    await asyncio.wait_for(waiting, 60)


async def test_the_end_wakes_everybody() -> None:
    channel = Channel(10)
    channel.send(b"x" * 6, Position(1))
    drained = asyncio.create_task(channel.drained())
    await asyncio.sleep(0)
    channel.cut("the stream of facts was interrupted")
    await asyncio.wait_for(drained, 60)
    assert await asyncio.wait_for(channel.next(), 60) is None
