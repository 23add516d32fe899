"""Ten processes over one log: a key has one effect through all of them, and a read is never older than its position."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
PROCESSES = 10
PAIRS = 10_000


class House:
    """One process that decides, nine that only answer, all over one data directory."""

    def __init__(self, directory: Path) -> None:
        self.servers = [Server(directory, SHOP) for _ in range(PROCESSES)]

    def start(self) -> None:
        """Start all of them; the first brings the broker with it."""
        self.servers[0].start()
        for server in self.servers[1:]:
            server.start("--no-worker", within=60.0)

    def kill(self) -> None:
        """All at once, the one with the broker last."""
        for server in reversed(self.servers):
            server.kill()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    found = House(tmp_path_factory.mktemp("house") / "data")
    found.start()
    yield found
    found.kill()


async def _create(session: aiohttp.ClientSession, server: Server, key: str) -> tuple[int, str, str]:
    headers = {"Idempotency-Key": key}
    while True:
        async with session.post(f"{server.url}/api/v1/tags", json={"label": key}, headers=headers) as reply:
            if "IDEMPOTENCY_KEY_IN_FLIGHT" not in (text := await reply.text()):
                return reply.status, reply.headers.get("Octonet-Position", ""), text


async def test_a_key_fired_at_ten_processes_at_once_has_one_effect_and_one_outcome(house: House) -> None:
    async with aiohttp.ClientSession() as session:
        told = {}
        for number in range(20):
            key = f"key {number}"
            answers = await asyncio.gather(*(_create(session, server, key) for server in house.servers))
            assert len(set(answers)) == 1
            assert answers[0][0] == 201
            told[key] = answers[0]
    await asyncio.to_thread(house.kill)
    await asyncio.to_thread(house.start)
    async with aiohttp.ClientSession() as session:
        for key, first in told.items():
            answers = await asyncio.gather(*(_create(session, server, key) for server in house.servers))
            assert set(answers) == {first}
        async with session.get(f"{house.servers[3].url}/api/v1/tags/count") as reply:
            assert (await reply.json())["data"] == 20


async def test_ten_thousand_reads_with_positions_are_never_older_than_the_writes_before_them(house: House) -> None:
    dice = random.Random(5)
    older: list[str] = []

    async def pairs(session: aiohttp.ClientSession, number: int) -> None:
        path = f"/api/v1/customers/reader{number}"
        url = f"{house.servers[0].url}/api/v1/customers"
        body = {"id": f"reader{number}", "email": f"reader{number}@x.org", "password": "correct horse battery"}
        async with session.post(url, json=body) as reply:
            assert reply.status == 201, await reply.text()
        for written in range(1, PAIRS // 20 + 1):
            writer, reader = dice.choice(house.servers), dice.choice(house.servers)
            increment = {"field": "visits", "amount": 1}
            async with session.post(f"{writer.url}{path}/increment", json=increment) as reply:
                position = reply.headers["Octonet-Position"]
            headers = {"Octonet-Min-Position": position}
            async with session.get(reader.url + path, headers=headers) as reply:
                found = (await reply.json())["data"]["visits"]
            if found < written:
                older.append(f"{found} after {written}")

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(pairs(session, number) for number in range(20)))
    assert older == []
