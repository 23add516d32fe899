"""Three nats-servers, three doors, two workers, PostgreSQL, sixteen clients, and somebody who breaks them.

`OCTONET_CHAOS_SECONDS` says for how long (a minute here; `make chaos` takes half an hour).
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from tests import postgres
from tests.acceptance.checker import Told, violations
from tests.acceptance.test_kill import SHOP
from tests.chaos.clients import StubbornWriter, Tail
from tests.chaos.nemesis import Nemesis
from tests.chaos.stage import Stage

SECONDS = float(os.environ.get("OCTONET_CHAOS_SECONDS", "60"))
CLIENTS = 16
TAILS = 2
_QUIET_WITHIN = 240.0
_ATTEMPTS = 5


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
async def test_whatever_breaks_no_write_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    random.seed(3)
    stage = Stage(tmp_path, SHOP)
    try:
        await stage.start()
        told, tails, nemesis = await _storm(stage)
        assert len(told) > SECONDS
        await stage.stop()
        found = await violations(stage.endpoint, stage.uri, SHOP, told)
        assert found == [], f"after {dict(nemesis.done)}"
        positions = await _positions(stage)
        for tail in tails:
            # Each began when the log was empty or later: from its first fact on it saw every one, once, in order.
            assert tail.tokens
            start = positions.index(tail.tokens[0])
            assert tail.tokens == positions[start:]
        print(f"{len(told)} writes told, {len(positions)} facts; what was done: {dict(nemesis.done)}")
    finally:
        await stage.remove()


async def _storm(stage: Stage) -> tuple[list[Told], list[Tail], Nemesis]:
    told: list[Told] = []
    tails = [Tail(stage.url) for _ in range(TAILS)]
    nemesis = Nemesis(stage, 17)
    over = asyncio.Event()
    listening = [asyncio.create_task(tail.run()) for tail in tails]
    writing = [asyncio.create_task(StubbornWriter(stage.url, told, number).run(over)) for number in range(CLIENTS)]
    try:
        await nemesis.run(SECONDS)
        over.set()
        await asyncio.gather(*writing)
        last = await StubbornWriter(stage.url, told, CLIENTS).last_word()
        await _quiet(stage, tails, last)
    finally:
        for task in (*writing, *listening):
            task.cancel()
        await asyncio.gather(*writing, *listening, return_exceptions=True)
    return told, tails, nemesis


async def _quiet(stage: Stage, tails: list[Tail], last: str) -> None:
    """Wait until every tail has come to the last position; nothing is written any more."""
    try:
        async with asyncio.timeout(_QUIET_WITHIN):
            while any(not tail.tokens or tail.tokens[-1] != last for tail in tails):
                await asyncio.sleep(0.2)
    except TimeoutError:
        seen = "; ".join(f"the tail on {tail.at} has {len(tail.tokens)} facts" for tail in tails)
        logs = "\n".join(f"{door.url}:\n{door.log()[-3000:]}" for door in stage.doors[:1])
        pytest.fail(f"a tail stands still short of {last}: {seen}\n{logs}")


async def _positions(stage: Stage) -> list[str]:
    """The position of every public fact, in order."""
    client = await nats.connect(
        stage.endpoint.url.split(","), user=stage.endpoint.user, password=stage.endpoint.password
    )
    try:
        stream = client.jetstream()
        for _ in range(_ATTEMPTS):
            try:
                count = (await stream.stream_info("OCTO_FACTS_default")).state.messages
                return await _read_positions(stream, count)
            except nats.errors.Error:
                # Between two leaders a pull of the client's is never answered, and a consumer cannot be made.
                await asyncio.sleep(2.0)
        raise AssertionError("the facts cannot be read")
    finally:
        await client.close()


async def _read_positions(stream: JetStreamContext, count: int) -> list[str]:
    found: list[str] = []
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True)
    reader = await stream.pull_subscribe("", stream="OCTO_FACTS_default", config=config)
    while len(found) < count:
        for message in await reader.fetch(1000, timeout=10):
            assert message.headers is not None
            found.append(message.headers["Octonet-Position"])
    await reader.unsubscribe()
    return found
