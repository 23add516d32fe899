"""Numbers that the broker keeps: exact whoever adds, and there again after a broker lost its memory."""

from __future__ import annotations

import asyncio

import pytest

from jetstream import subjects
from jetstream.api import call
from jetstream.connection import connect
from jetstream.counters import Counters
from jetstream.server import EmbeddedServer
from jetstream.topology import StreamLimits
from octonet.kernel.errors import Unavailable


async def test_several_add_to_one_number(nats: EmbeddedServer) -> None:
    clients = [await connect(nats.endpoint) for _ in range(3)]
    counters = [Counters(client, StreamLimits()) for client in clients]
    told = await asyncio.gather(*(counters[number % 3].add("key", 1, 2) for number in range(30)))
    assert sorted(told) == list(range(2, 61, 2))
    assert await counters[0].add("key", 2, 1) == await counters[1].add("other", 1, 1) == 1
    await call(clients[0], f"STREAM.DELETE.{subjects.RATES}")
    assert await counters[2].add("key", 1, 5) == 5
    for client in clients:
        await client.close()


async def test_without_a_broker_nothing_is_counted(nats: EmbeddedServer) -> None:
    client = await connect(nats.endpoint)
    await client.close()
    with pytest.raises(Unavailable):
        await Counters(client, StreamLimits()).add("key", 1, 1)
