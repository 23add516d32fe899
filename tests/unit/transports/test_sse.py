"""Server-sent events: the stream, what it filters, how it resumes and how it ends."""

from __future__ import annotations

import asyncio
import json
import socket
from urllib.parse import urlsplit

import aiohttp
import pytest

from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.transport import HttpSettings
from tests.unit.transports.conftest import Server
from tests.unit.transports.memory import MemoryGateway


async def block(reply: aiohttp.ClientResponse) -> dict[str, str]:
    """The next event, as a client sees it; comments and the retry line are passed over."""
    while True:
        lines: list[str] = []
        while (line := (await reply.content.readline()).decode()) not in ("\n", ""):
            lines.append(line.rstrip("\n"))
        found = dict(line.split(": ", 1) for line in lines if line and not line.startswith(":"))
        if "event" in found:
            return found
        assert line, "the stream ended"


async def create(client: aiohttp.ClientSession, path: str = "/api/v1/users", **data: object) -> str:
    async with client.post(path, json=data) as reply:
        assert reply.status == 201
        return reply.headers["Octonet-Position"]


async def test_the_stream_begins_with_its_headers_and_a_greeting(client: aiohttp.ClientSession) -> None:
    async with client.get("/events") as reply:
        assert reply.headers["Content-Type"] == "text/event-stream"
        assert reply.headers["Cache-Control"] == "no-cache"
        assert reply.headers["X-Accel-Buffering"] == "no"
        assert await reply.content.readuntil(b"\n\n") == b":ok\n\n"
        assert await reply.content.readuntil(b"\n\n") == b"retry: 2000\n\n"
        greeting = await block(reply)
        assert greeting["event"] == "connected"
        assert json.loads(greeting["data"])["entities"] == ["User", "Note"]


async def test_facts_carry_their_position_and_no_secrets(client: aiohttp.ClientSession) -> None:
    async with client.get("/events") as reply:
        await block(reply)
        token = await create(client, id="a", name="two\nlines", password="x")
        event = await block(reply)
        assert (event["id"], event["event"]) == (token, "entity.created")
        assert json.loads(event["data"]) == {
            "entity": "User", "id": "a", "version": 1,
            "data": {"id": "a", "name": "two\nlines", "age": 0, "tags": None},
        }  # fmt: skip
        async with client.delete("/api/v1/users/a"):
            event = await block(reply)
        assert json.loads(event["data"]) == {"entity": "User", "id": "a", "version": 2}


async def test_only_what_was_asked_for_is_sent(client: aiohttp.ClientSession) -> None:
    async with client.get("/events", params={"entity": "users", "filter": '{"age":{"$gt":17}}'}) as reply:
        await block(reply)
        await create(client, "/api/v1/notes", text="hi")
        await create(client, id="young", name="Ann", age=3)
        await create(client, id="old", name="Ben", age=30)
        assert json.loads((await block(reply))["data"])["id"] == "old"


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_stream_resumes_behind_the_last_id(client: aiohttp.ClientSession, by_header: bool) -> None:
    tokens = [await create(client, id=name, name=name) for name in "abc"]
    headers = {"Last-Event-ID": tokens[1]} if by_header else {}
    async with client.get(f"/events?after={tokens[0]}", headers=headers) as reply:
        await block(reply)
        assert (await block(reply))["id"] == tokens[2 if by_header else 1]


async def test_a_project_has_a_stream_of_its_own(client: aiohttp.ClientSession) -> None:
    async with client.get("/shop/events") as reply:
        await block(reply)
        await create(client, "/api/v1/notes", id="other", text="x")
        await create(client, "/shop/api/v1/notes", id="mine", text="x")
        assert json.loads((await block(reply))["data"])["id"] == "mine"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("entity=Ghost", 404, "ENTITY_NOT_FOUND"),
        ('filter={"age":1}', 400, "INVALID_REQUEST"),
        ('entity=User,Note&filter={"age":1}', 400, "INVALID_REQUEST"),
        ('entity=User&filter={"age":{"$foo":1}}', 400, "UNKNOWN_OPERATOR"),
        ("entity=User&filter=x", 400, "PARSE_ERROR"),
        ("after=nonsense", 400, "INVALID_POSITION"),
        ("after=NTAuMC5kZWZhdWx0", 400, "INVALID_POSITION"),
        ("colour=1", 400, "UNKNOWN_PARAMETER"),
    ],
)
async def test_a_wrong_wish_is_refused_before_the_stream_begins(
    client: aiohttp.ClientSession, query: str, status: int, code: str
) -> None:
    async with client.get(f"/events?{query}") as reply:
        assert (reply.status, (await reply.json())["error"]["code"]) == (status, code)


async def test_head_tells_the_headers_only(client: aiohttp.ClientSession) -> None:
    async with client.head("/events") as reply:
        assert (reply.status, reply.headers["Content-Type"]) == (200, "text/event-stream")
    async with client.post("/events") as reply:
        assert reply.status == 405


async def test_a_stop_ends_the_stream_with_a_comment(client: aiohttp.ClientSession, server: Server) -> None:
    async with client.get("/events") as reply:
        await block(reply)
        await server.doors[2].close()
        assert await reply.content.read() == b": server shutting down\n\n"


async def test_a_broken_tail_ends_the_stream_with_a_comment(
    client: aiohttp.ClientSession, gateway: MemoryGateway
) -> None:
    async with client.get("/events") as reply:
        await block(reply)
        gateway.project(DEFAULT_PROJECT).log.break_off(OSError("gone"))
        assert await reply.content.read() == b": the stream of facts was interrupted\n\n"


async def test_a_quiet_stream_shows_signs_of_life_and_notices_who_left() -> None:
    found = Server()
    await found.start(HttpSettings(heartbeat=0.01))
    log = found.gateway.project(DEFAULT_PROJECT).log
    async with aiohttp.ClientSession(found.url) as session:
        async with session.get("/events") as reply:
            await block(reply)
            assert await reply.content.readuntil(b"\n\n") == b": \n\n"
            assert log.readers == 1
        while log.readers:
            await asyncio.sleep(0)
    await found.stop()


async def test_an_old_client_gets_the_stream_without_chunks(server: Server, client: aiohttp.ClientSession) -> None:
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, family=socket.AF_INET)
    writer.write(b"GET /events HTTP/1.0\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.0 200")
    assert (await reader.readuntil(b"\n\n")) == b":ok\n\n"
    await reader.readuntil(b"}\n\n")
    await create(client, id="a", name="Ann")
    assert (await reader.readuntil(b"\n\n")).startswith(b"id: ")
    await server.doors[2].close()
    assert await reader.read() == b": server shutting down\n\n"
    writer.close()


async def test_a_client_that_does_not_read_is_cut(server: Server, client: aiohttp.ClientSession) -> None:
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    address = urlsplit(server.url)
    await asyncio.get_running_loop().sock_connect(raw, (address.hostname, address.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    log = server.gateway.project(DEFAULT_PROJECT).log
    for number in range(2000):
        if not log.readers:
            break
        await create(client, id=str(number), name="x" * 20_000)
    assert not log.readers
    everything = await reader.read()
    assert everything.endswith(b": too slow\n\n\r\n0\r\n\r\n")
    writer.close()
