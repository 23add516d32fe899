"""The HTTP host: prefixes, health, limits, origins, failures, and its end."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from octonet.kernel.errors import (
    ConstraintViolation,
    Exhausted,
    Fault,
    Internal,
    Kind,
    OctonetError,
    OutcomeUnknown,
    StorageUnavailable,
)
from octonet.transport import Either, Incoming, Reply, Stream
from tests.unit.transports.conftest import Server
from tests.unit.transports.memory import MemoryGateway
from transports.engine import render

USERS = "/api/v1/users"
ORIGIN = "https://shop.example"


async def test_health_tells_of_doors_and_entities_and_of_readiness(
    client: aiohttp.ClientSession, server: Server
) -> None:
    async with client.get("/health") as reply:
        assert reply.status == 200
        assert await reply.json() == {"status": "ok", "transports": ["rest", "ws"], "entities": ["User", "Note"]}
    server.ready = False
    async with client.get("/health") as reply:
        assert (reply.status, (await reply.json())["status"]) == (503, "unavailable")
    async with client.get("/health/live") as reply:
        assert reply.status == 200
    async with client.get("/shop/health") as reply:
        assert (await reply.json())["project"] == "shop"
    async with client.post("/health") as reply:
        assert reply.status == 405


@pytest.mark.parametrize("path", ["/", "/nowhere", "/apix/v1", "/api/v11/users", "/api", "/ghost/api/v1", "/health/x"])
async def test_an_unknown_path_is_a_404_in_the_envelope(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as reply:
        assert reply.status == 404
        assert (await reply.json())["error"]["code"] == "NOT_FOUND"


async def test_the_longest_prefix_wins() -> None:
    async def named(name: str) -> Reply:
        return Reply(name.encode(), content_type="text/plain")

    found = Server()
    found.host.mount("/a", lambda _: named("short"))
    found.host.mount("/a/b", lambda _: named("long"))
    with pytest.raises(ValueError, match="two doors"):
        found.host.mount("/a", lambda _: named("again"))
    port = await found.host.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        texts = []
        for path in ("/a", "/a/c", "/a/b", "/a/b/c", "/a/bc"):
            async with session.get(path) as reply:
                texts.append(await reply.text())
    await found.host.stop(1.0)
    assert texts == ["short", "short", "long", "long", "short"]


async def test_one_door_answers_whole_and_keeps_those_connections_that_want_it(server: Server) -> None:
    async def whole(incoming: Incoming) -> Reply:
        return Reply(b"whole " + incoming.body, content_type="text/plain")

    async def kept(request: web.BaseRequest, incoming: Incoming) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"kept " + incoming.body)
        return response

    wants_stream = {"accept": "text/event-stream"}.items()
    server.host.mount("/both", Either(whole, Stream(kept), lambda headers: wants_stream <= headers.items()))
    async with aiohttp.ClientSession(server.url) as session:
        for accept, told in (("*/*", b"whole x"), ("text/event-stream", b"kept x"), ("*/*", b"whole x")):
            for body in (b"x", chunks(b"x")):
                async with session.post("/both", data=body, headers={"Accept": accept}) as reply:
                    assert await reply.read() == told


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def test_a_body_that_is_too_large_is_refused_with_413(client: aiohttp.ClientSession) -> None:
    async with client.post(USERS, json={"name": "x" * 70_000}) as reply:
        assert (reply.status, (await reply.json())["error"]["code"]) == (413, "BODY_TOO_LARGE")


async def test_a_chunked_body_that_is_too_large_is_refused_with_413(client: aiohttp.ClientSession) -> None:
    async def parts() -> object:
        for _ in range(20):
            yield b" " * 4096

    async with client.post(USERS, data=parts(), headers={"Content-Type": "application/json"}) as reply:
        assert reply.status == 413


async def test_a_client_that_waits_for_continue_gets_it(server: Server) -> None:
    answer = await _raw(
        server,
        b"POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n"
        b"Expect: 100-continue\r\nConnection: close\r\n\r\n",
        b'{"name":"Ann"}',
    )
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n")


async def test_nonsense_instead_of_http_is_a_400_in_the_envelope(server: Server) -> None:
    answer = await _raw(server, b"NONSENSE\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 400") or answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "BAD_REQUEST"


async def test_requests_in_a_pipeline_are_answered_in_order(server: Server) -> None:
    one = b"GET /api/v1/users/%d HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await _raw(server, b"".join(one % n for n in range(5)) + last)
    assert answer.count(b'{"status":"ok","data":null}') == 5
    assert answer.endswith(b'{"status":"ok"}')


async def test_an_absolute_request_target_is_understood(server: Server) -> None:
    answer = await _raw(server, b"GET http://x/health/live?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_has_its_status(client: aiohttp.ClientSession, gateway: MemoryGateway, kind: Kind) -> None:
    class Failure(OctonetError):
        """No."""

    Failure.kind = kind
    gateway.failure = Failure("no", code="SOME_CODE", faults=(Fault("$.data.age", "is bad"),))
    async with client.get(USERS) as reply:
        assert reply.status == render.STATUS[kind]
        assert await reply.json() == {
            "status": "error",
            "error": {"code": "SOME_CODE", "message": "no", "details": [{"path": "$.data.age", "message": "is bad"}]},
        }


@pytest.mark.parametrize(
    ("failure", "status", "after"),
    [
        (ConstraintViolation(), 409, None),
        (Exhausted(), 429, None),
        (StorageUnavailable(), 503, "1"),
        (OutcomeUnknown(), 504, "1"),
        (Internal(), 500, None),
    ],
)
async def test_only_what_may_be_tried_again_says_when(
    client: aiohttp.ClientSession, gateway: MemoryGateway, failure: OctonetError, status: int, after: str | None
) -> None:
    gateway.failure = failure
    async with client.get(USERS) as reply:
        assert (reply.status, reply.headers.get("Retry-After")) == (status, after)


async def test_an_unforeseen_failure_is_logged_with_the_number_the_client_is_told(
    client: aiohttp.ClientSession, gateway: MemoryGateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.failure = KeyError("the secret of the house")
    with caplog.at_level(logging.ERROR, "octonet.http"):
        async with client.get(USERS) as reply:
            told = await reply.text()
            assert reply.status == 500
    error = json.loads(told)["error"]
    assert error["code"] == "INTERNAL"
    assert "secret of the house" not in told
    assert error["message"].rsplit(" ", 1)[1] in caplog.text


async def test_a_preflight_from_a_named_origin_is_granted(client: aiohttp.ClientSession) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    async with client.options(USERS, headers=asked) as reply:
        assert reply.status == 204
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "POST" in reply.headers["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_a_reply_is_shared_with_a_named_origin_only(client: aiohttp.ClientSession) -> None:
    for path in (USERS, "/nowhere", "/events"):
        async with client.get(path, headers={"Origin": ORIGIN}) as reply:
            assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert reply.headers["Vary"] == "Origin"
    for headers in ({"Origin": "https://evil.example"}, {}):
        async with client.get(USERS, headers=headers) as reply:
            assert "Access-Control-Allow-Origin" not in reply.headers


async def test_a_stop_lets_a_running_request_finish(
    server: Server, client: aiohttp.ClientSession, gateway: MemoryGateway
) -> None:
    gateway.gate = asyncio.Event()
    request = asyncio.create_task(client.get(USERS))
    while not gateway.actors:
        await asyncio.sleep(0)
    stop = asyncio.create_task(server.host.stop(30.0))
    await asyncio.sleep(0)
    gateway.gate.set()
    reply = await request
    assert reply.status == 200
    assert reply.headers["Connection"] == "close"
    await stop
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.get(USERS)


async def _raw(server: Server, *parts: bytes) -> bytes:
    address = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, family=socket.AF_INET)
    for part in parts:
        writer.write(part)
    found = await reader.read()
    writer.close()
    await writer.wait_closed()
    return found
