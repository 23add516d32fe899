"""A client of GraphQL subscriptions that does not read: it is cut instead of filling the server's memory, and goes on
later where it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_NOTES = 120
_LONG = "x" * 200_000
_QUERY = "subscription($after: String) { noteEvents(after: $after) { position row { slug body } } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("slow") / "data", SHOP, OCTONET_MAX_BUFFER="300000") as found:
        yield found
        assert "Traceback" not in found.log()


async def write(server: Server, word: str, count: int = _NOTES, body: str = _LONG) -> list[str]:
    """By default far more than any buffer on the way holds."""
    query = "mutation($s: String, $b: String) { createNote(input: {slug: $s, body: $b}) { slug } }"
    made = []
    async with aiohttp.ClientSession(server.url) as session:
        for n in range(count):
            wish = {"query": query, "variables": {"s": f"{word}{n}", "b": body}}
            async with session.post("/graphql", json=wish) as reply:
                made.append((await reply.json())["data"]["createNote"]["slug"])
    return made


def event(payload: Any) -> tuple[str, str]:
    """The slug and the position of an event."""
    told = payload["data"]["noteEvents"]
    return told["row"]["slug"], told["position"]


class Pause:
    """Once the first event has come, nothing is read before `over`."""

    def __init__(self) -> None:
        self.begun, self.over = asyncio.Event(), asyncio.Event()

    async def between(self) -> None:
        """To be awaited after each event."""
        self.begun.set()
        await self.over.wait()


async def by_socket(server: Server, after: str | None, last: str, pause: Pause) -> list[tuple[str, str]]:
    """The events until the connection ends, or the last has come."""
    found: list[tuple[str, str]] = []
    async with aiohttp.ClientSession(server.url) as session:
        socket = await session.ws_connect("/graphql", protocols=("graphql-transport-ws",), max_msg_size=0)
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["type"] == "connection_ack"
        payload = {"query": _QUERY, "variables": {"after": after}}
        await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})
        async for message in socket:
            found.append(event(message.json()["payload"]))
            if found[-1][0] == last:
                break
            await pause.between()
        await socket.close()
    return found


async def by_stream(server: Server, after: str | None, last: str, pause: Pause) -> list[tuple[str, str]]:
    """The same as server-sent events."""
    found: list[tuple[str, str]] = []
    body = {"query": _QUERY, "variables": {"after": after}}
    async with (
        aiohttp.ClientSession(server.url, read_bufsize=2**20) as session,
        session.post("/graphql", json=body, headers={"Accept": "text/event-stream"}) as reply,
    ):
        try:
            async for line in reply.content:
                if line.startswith(b"data: {"):
                    found.append(event(json.loads(line[6:])))
                    if found[-1][0] == last:
                        break
                    await pause.between()
        except aiohttp.ClientPayloadError:
            pass
    return found


@pytest.mark.parametrize("way", [by_socket, by_stream])
async def test_a_client_that_does_not_read_is_cut_and_misses_nothing(server: Server, way: Any) -> None:
    last = f"{way.__name__}{_NOTES - 1}"
    pause, awake = Pause(), Pause()
    awake.over.set()
    asleep = asyncio.create_task(way(server, None, last, pause))
    early = 0
    async with asyncio.timeout(60):
        while not pause.begun.is_set():
            # Until it listens, nobody tells it anything.
            await write(server, f"early {way.__name__} {early} ", 1, "")
            early += 1
            await asyncio.sleep(0.05)
    made = await write(server, way.__name__)
    pause.over.set()
    heard = await asleep
    assert 0 < len(heard) < _NOTES
    heard += await way(server, heard[-1][1], last, awake)
    assert [slug for slug, _ in heard if not slug.startswith("early")] == made
