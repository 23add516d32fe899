"""A part of a stream is read whole, and nothing after it; a time leads to the first message that was stored since."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest
from nats.aio.subscription import Subscription

from jetstream.connection import Connection, Receive, connect
from jetstream.log import JetStreamLog
from jetstream.server import EmbeddedServer
from jetstream.topology import StreamLimits, ensure, project_streams
from octonet.kernel.ids import DEFAULT_PROJECT

MESSAGES = 1300
PULLED = 512


@pytest.fixture
async def client(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    """Beside a log of messages that hold their own sequence."""
    found = await connect(nats.endpoint)
    await ensure(found, next(s for s in project_streams(DEFAULT_PROJECT, StreamLimits()) if "LOG" in str(s["name"])))
    stream = found.jetstream(publish_async_max_pending=MESSAGES)
    stored = [await stream.publish_async("octo.log.default", b"%d" % n) for n in range(1, MESSAGES + 1)]
    await asyncio.gather(*stored)
    yield found
    await found.close()


async def _read(log: JetStreamLog, after: int, until: int) -> list[int]:
    return [int(message.body) async for messages in log.read(after, until) for message in messages]


async def test_any_part_is_read_whole_and_nothing_after_it_is_sent(client: Connection) -> None:
    log, dice = JetStreamLog(client, DEFAULT_PROJECT), random.Random(7)
    parts = [(0, MESSAGES), (0, 1), (MESSAGES - 1, MESSAGES), (0, PULLED), (0, PULLED + 1), (5, 5), (3, 5 + 2 * PULLED)]
    parts += [tuple(sorted((dice.randrange(MESSAGES), dice.randrange(MESSAGES)))) for _ in range(20)]  # type: ignore[misc]
    for after, until in parts:
        before = client.stats["in_msgs"]
        assert await _read(log, after, until) == list(range(after + 1, until + 1))
        more = client.stats["in_msgs"] - before - (until - after)
        assert more < 10  # the consumer's own answers


async def test_a_time_leads_to_what_was_stored_since(client: Connection) -> None:
    log = JetStreamLog(client, DEFAULT_PROJECT)
    await asyncio.sleep(0.05)
    now = int(time.time() * 1000)
    assert [await log.stored_since(moment) for moment in (-(10**14), 0, now)] == [1, 1, MESSAGES + 1]
    await log.append(b"later", MESSAGES)
    assert await log.stored_since(now) == MESSAGES + 1
    assert await log.stored_since(now + 3_600_000) == MESSAGES + 2


async def test_a_message_that_fell_on_the_way_is_read_again(
    client: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallen: list[bytes] = []
    plain = Connection.listen

    async def listen(self: Connection, subject: str, receive: Receive) -> Subscription:
        def leaky(reply: bytes, head: bytes, body: bytes) -> None:
            # As when a connection breaks and is made anew: what was on its way is gone, and the next comes.
            if body == b"7" and not fallen:
                fallen.append(body)
            else:
                receive(reply, head, body)

        return await plain(self, subject, leaky)

    monkeypatch.setattr(Connection, "listen", listen)
    assert await _read(JetStreamLog(client, DEFAULT_PROJECT), 0, MESSAGES) == list(range(1, MESSAGES + 1))
    assert fallen
