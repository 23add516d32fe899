"""Programs that listen to facts have a credential of their own: nothing can be forged with it, nothing else heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import nats
import pytest
from nats.aio.client import Client

from jetstream.endpoint import Endpoint
from jetstream.server import find_facts, find_running
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_made: list[str] = []
STREAMS = ("OCTO_CMD_default", "OCTO_LOG_default", "OCTO_FACTS_default", "OCTO_DEAD_default", "OCTO_LEASES")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("forgery") / "data", SHOP) as found:
        yield found


class Listener:
    """A program with the listeners' credential, and what the server refused it."""

    def __init__(self) -> None:
        self.client = Client()
        self.refused: list[str] = []

    async def enter(self, endpoint: Endpoint) -> None:
        async def on_error(problem: Exception) -> None:
            self.refused.append(str(problem))

        await self.client.connect(
            endpoint.url, user=endpoint.user, password=endpoint.password, inbox_prefix=endpoint.inbox, error_cb=on_error
        )

    async def is_refused(self) -> None:
        """Wait until the server said that something is not allowed."""
        async with asyncio.timeout(60):
            while not any("permissions violation" in one.lower() for one in self.refused):
                await asyncio.sleep(0.01)


@pytest.fixture
async def listener(server: Server) -> AsyncIterator[Listener]:
    endpoint = find_facts(server.directory / "nats")
    assert endpoint is not None
    found = Listener()
    await found.enter(endpoint)
    yield found
    await found.client.close()


async def _create(server: Server, word: str) -> int:
    _made.append(f"{word} {len(_made)}")
    label = {"label": _made[-1]}
    async with aiohttp.ClientSession(server.url) as session, session.post("/api/v1/tags", json=label) as reply:
        return reply.status


async def _counts(endpoint: Endpoint) -> dict[str, int]:
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    try:
        return {name: (await client.jetstream().stream_info(name)).state.last_seq for name in STREAMS[:4]}
    finally:
        await client.close()


async def _settled(endpoint: Endpoint) -> dict[str, int]:
    """The counts, once the feed, which comes behind the replies, has every row that was made: one fact each."""
    async with asyncio.timeout(60):
        while (found := await _counts(endpoint))["OCTO_FACTS_default"] < len(_made):
            await asyncio.sleep(0.02)
    return found


async def test_a_listener_hears_facts(server: Server, listener: Listener) -> None:
    heard = await listener.client.subscribe("mostajs.Tag.*")
    await listener.client.flush()
    assert await _create(server, "heard") == 201
    message = await heard.next_msg(60)
    assert (message.subject, b"heard" in message.data) == ("mostajs.Tag.created", True)
    assert listener.refused == []


@pytest.mark.parametrize(
    "subject",
    [
        "octo.cmd.default",
        "octo.log.default",
        "octo.dead.default.1",
        "octo.lease.default",
        "octo.worker.forged",
        "octo.reply.forged",
        "mostajs.Tag.created",
        *(f"$JS.API.STREAM.{what}.{stream}" for what in ("PURGE", "DELETE", "MSG.GET") for stream in STREAMS),
        "$JS.API.CONSUMER.CREATE.OCTO_FACTS_default",
    ],
)
async def test_what_a_listener_publishes_is_refused_and_nothing_is_decided(
    server: Server, listener: Listener, subject: str
) -> None:
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    assert await _create(server, "before") == 201
    before = await _settled(endpoint)
    await listener.client.publish(subject, b"forged")
    await listener.client.flush()
    await listener.is_refused()
    assert await _counts(endpoint) == before
    # No lane is disturbed.
    assert await _create(server, "after") == 201
    assert "ALARM" not in server.log()
    assert "put aside" not in server.log()


@pytest.mark.parametrize("subject", [">", "octo.>", "octo.cmd.default", "octo.reply.>", "_INBOX.>", "$JS.>", "$SYS.>"])
async def test_a_listener_hears_nothing_but_facts(server: Server, listener: Listener, subject: str) -> None:
    heard = await listener.client.subscribe(subject)
    await listener.client.flush()
    assert await _create(server, "secret") == 201
    await listener.is_refused()
    with pytest.raises(nats.errors.TimeoutError):
        await heard.next_msg(0.3)
