"""The front of a connection: however a client cuts, hurries or leaves, it gets the same answers in the same order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from urllib.parse import urlsplit

import pytest
import uvloop

from octonet.transport import HttpSettings
from tests.unit.transports.conftest import Server
from tests.unit.transports.memory import MemoryGateway

BODY = b'{"name":"Ann"}'
POST = b"POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)
GET = b"GET /api/v1/users/none HTTP/1.1\r\nHost: x\r\n\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = (
    b"POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"7\r\n" + BODY[:7] + b"\r\n7\r\n" + BODY[7:] + b"\r\n0\r\n\r\n"
)
NOWHERE = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"


class Client:
    """A socket that speaks HTTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, server: Server) -> Client:
        address = urlsplit(server.url)
        return cls(*await asyncio.open_connection(address.hostname, address.port, family=socket.AF_INET))

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        async with asyncio.timeout(60):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def close(self) -> None:
        self.writer.close()


async def _under_way(server: Server, gateway: MemoryGateway, request: bytes) -> tuple[Client, asyncio.Event]:
    """A client whose request has reached the gateway, and the gate that keeps it there."""
    gate = gateway.gate = asyncio.Event()
    client = await Client.connect(server)
    client.writer.write(request)
    while not gateway.actors:
        await asyncio.sleep(0)
    return client, gate


@pytest.mark.parametrize("request_", [POST, GET, LIVE, CHUNKED, NOWHERE], ids=["post", "get", "live", "chunked", "404"])
async def test_a_request_that_comes_byte_by_byte_is_answered(server: Server, request_: bytes) -> None:
    client = await Client.connect(server)
    client.writer.write(request_)
    whole = (await client.answer())[0]
    for byte in request_:
        client.writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert (await client.answer())[0] == whole
    await client.close()


@pytest.mark.parametrize("seed", range(20))
async def test_any_cutting_of_any_requests_gives_the_same_answers_in_order(server: Server, seed: int) -> None:
    chance = random.Random(seed)
    asked = [chance.choice([POST, GET, LIVE, CHUNKED, NOWHERE]) for _ in range(chance.randint(1, 12))]
    stream = b"".join(asked)
    client = await Client.connect(server)
    while stream:
        size = chance.choice([1, 7, 50, 200, 1000])
        client.writer.write(stream[:size])
        stream = stream[size:]
        await asyncio.sleep(chance.choice([0, 0, 0.002]))
    statuses = {POST: 201, GET: 200, LIVE: 200, CHUNKED: 201, NOWHERE: 404}
    assert [(await client.answer())[0] for _ in asked] == [statuses[one] for one in asked]
    await client.close()


async def test_what_is_sent_before_the_answer_waits_its_turn(server: Server, gateway: MemoryGateway) -> None:
    client, gate = await _under_way(server, gateway, GET)
    client.writer.write(LIVE)
    await asyncio.sleep(0.01)
    gate.set()
    assert json.loads((await client.answer())[2]) == {"status": "ok", "data": None}
    assert json.loads((await client.answer())[2]) == {"status": "ok"}
    await client.close()


async def test_a_client_that_has_said_its_last_word_still_gets_the_answer(
    server: Server, gateway: MemoryGateway
) -> None:
    client, gate = await _under_way(server, gateway, GET)
    client.writer.write_eof()
    await asyncio.sleep(0.01)
    gate.set()
    assert (await client.answer())[0] == 200
    assert await client.reader.read() == b""
    await client.close()


async def test_a_write_goes_on_when_its_client_is_gone(server: Server, gateway: MemoryGateway) -> None:
    client, gate = await _under_way(server, gateway, POST)
    client.writer.transport.abort()
    await asyncio.sleep(0.01)
    gate.set()
    other = await Client.connect(server)
    other.writer.write(b"GET /api/v1/users/count HTTP/1.1\r\nHost: x\r\n\r\n")
    assert json.loads((await other.answer())[2])["data"] == 1
    await other.close()


async def test_a_connection_that_aiohttp_took_over_goes_on(server: Server) -> None:
    client = await Client.connect(server)
    for request, status in ((LIVE, 200), (NOWHERE, 404), (LIVE, 200), (POST, 201)):
        client.writer.write(request)
        assert (await client.answer())[0] == status
    await client.close()


async def test_a_client_that_wants_the_end_gets_it(server: Server) -> None:
    client = await Client.connect(server)
    client.writer.write(LIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (await client.answer())[0] == 200
    assert await client.reader.read() == b""
    await client.close()


async def test_http_1_0_is_answered_and_closed(server: Server) -> None:
    client = await Client.connect(server)
    client.writer.write(b"GET /health/live HTTP/1.0\r\n\r\n")
    assert (await client.answer())[0] == 200
    assert await client.reader.read() == b""
    await client.close()


async def test_a_head_request_has_no_body(server: Server) -> None:
    client = await Client.connect(server)
    client.writer.write(b"HEAD /api/v1/users/none HTTP/1.1\r\nHost: x\r\n\r\n")
    head = (await client.reader.readuntil(b"\r\n\r\n")).decode()
    assert "200 OK" in head
    client.writer.write(LIVE)
    assert (await client.answer())[2] == b'{"status":"ok"}'
    await client.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api/v1/users?q=" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /health/live HTTP/9.9\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["long target", "long header", "two lengths", "length and chunks", "space in name", "version", "tls"],
)
async def test_a_head_that_is_not_http_or_too_long_is_refused(server: Server, head: bytes) -> None:
    client = await Client.connect(server)
    client.writer.write(head)
    client.writer.write_eof()
    told = await client.reader.read()
    assert not told or told.split(b" ", 2)[1].startswith(b"4")
    await client.close()


async def test_a_client_that_asks_and_never_reads_is_not_buffered_without_bound(
    server: Server, gateway: MemoryGateway
) -> None:
    client = await Client.connect(server)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's socket transport has it
    for _ in range(400):
        client.writer.write(GET * 100)
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    assert len(gateway.actors) < 40_000
    client.writer.transport.abort()


async def test_a_stop_closes_connections_that_ask_nothing_at_once(server: Server) -> None:
    front, taken_over = await Client.connect(server), await Client.connect(server)
    for client, request in ((front, LIVE), (taken_over, NOWHERE)):
        client.writer.write(request)
        await client.answer()
    async with asyncio.timeout(20):
        await server.host.stop(30.0)
        assert await front.reader.read() == b""
        assert await taken_over.reader.read() == b""
    await front.close()
    await taken_over.close()


@pytest.mark.parametrize("turns", range(6))
def test_a_stop_closes_a_connection_that_was_accepted_a_moment_before(turns: int) -> None:
    # On the loop that servers run on: the plain one loses a socket that it accepts while it is told to stop listening.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_stop_after_a_late_connection(turns))


async def _stop_after_a_late_connection(turns: int) -> None:
    server = Server()
    await server.start(HttpSettings())
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as late:
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await server.host.stop(30.0)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(late.recv, 1) == b""
    await server.stop()
