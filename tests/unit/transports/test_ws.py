"""The WebSocket door: operations as messages, facts as they happen, and every way a connection ends."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import WSMsgType

from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.position import Positions
from octonet.transport import HttpSettings
from tests.unit.transports.conftest import Server
from tests.unit.transports.memory import MemoryGateway

Socket = aiohttp.ClientWebSocketResponse

POSITIONS = Positions(DEFAULT_PROJECT, b"key")


@asynccontextmanager
async def connected(
    client: aiohttp.ClientSession, path: str = "/ws"
) -> AsyncIterator[tuple[Socket, dict[str, object]]]:
    async with client.ws_connect(path) as found:
        yield found, await found.receive_json()


async def ask(found: Socket, **members: object) -> dict[str, object]:
    """Send a message and take its response; facts that come first are passed over."""
    await found.send_json(members)
    while True:
        answer: dict[str, object] = await found.receive_json()
        if answer["type"] == "response":
            return answer


async def create(client: aiohttp.ClientSession, path: str = "/api/v1/users", **data: object) -> str:
    async with client.post(path, json=data) as reply:
        assert reply.status == 201
        return reply.headers["Octonet-Position"]


async def test_the_greeting_tells_of_entities_time_and_position(client: aiohttp.ClientSession) -> None:
    async with connected(client) as (_, greeting):
        assert greeting["type"] == "connected"
        assert greeting["entities"] == ["User", "Note"]
        assert str(greeting["connectedAt"]).endswith("Z")
        assert POSITIONS.decode(str(greeting["position"])).entry == 0


async def test_an_operation_is_answered_with_the_name_the_client_gave_it(client: aiohttp.ClientSession) -> None:
    async with connected(client, "/ws?events=none") as (found, _):
        answer = await ask(found, op="create", entity="User", data={"id": "a", "name": "Ann"}, requestId="r1")
        token = answer.pop("position")
        assert POSITIONS.decode(str(token)).entry == 1
        assert answer == {
            "type": "response", "requestId": "r1", "status": "ok",
            "data": {"id": "a", "name": "Ann", "age": 0, "tags": None},
        }  # fmt: skip
        assert await ask(found, type="request", op="count", entity="users", requestId=7) == {
            "type": "response", "requestId": 7, "status": "ok", "data": 1, "metadata": {"total": 1},
        }  # fmt: skip
        assert await ask(found, op="findById", entity="User", id="x") == {
            "type": "response", "status": "ok", "data": None,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "PARSE_ERROR"),
        ("[1]", "PARSE_ERROR"),
        ('{"op":"count","entity":"User","colour":1}', "UNKNOWN_MEMBER"),
        ('{"op":"explode","entity":"User"}', "UNKNOWN_OP"),
        ('{"op":1,"entity":"User"}', "INVALID_REQUEST"),
        ('{"op":"count"}', "ENTITY_NOT_FOUND"),
        ('{"op":"count","entity":"User","requestId":{}}', "INVALID_REQUEST"),
        ('{"type":"dance"}', "INVALID_REQUEST"),
        ('{"type":"subscribe","colour":1}', "UNKNOWN_MEMBER"),
        ('{"type":"subscribe","entity":"Ghost"}', "ENTITY_NOT_FOUND"),
        ('{"type":"subscribe","entities":"User"}', "INVALID_REQUEST"),
        ('{"type":"subscribe","entity":"User","entities":[]}', "INVALID_REQUEST"),
        ('{"type":"subscribe","filter":{"age":1}}', "INVALID_REQUEST"),
        ('{"type":"subscribe","entity":"User","filter":{"age":{"$foo":1}}}', "UNKNOWN_OPERATOR"),
        ('{"type":"subscribe","after":"nonsense"}', "INVALID_POSITION"),
        ('{"type":"unsubscribe","subscription":"9"}', "UNKNOWN_SUBSCRIPTION"),
    ],
)
async def test_a_wrong_message_is_refused_and_the_connection_lives_on(
    client: aiohttp.ClientSession, text: str, code: str
) -> None:
    async with connected(client) as (found, _):
        await found.send_str(text)
        answer = await found.receive_json()
        assert (answer["type"], answer["status"], answer["error"]["code"]) == ("response", "error", code)
        assert (await ask(found, op="count", entity="User"))["data"] == 0


async def test_requests_are_answered_as_they_complete(client: aiohttp.ClientSession, gateway: MemoryGateway) -> None:
    async with connected(client, "/ws?events=none") as (found, _):
        gate = gateway.gate = asyncio.Event()
        await found.send_json({"op": "count", "entity": "User", "requestId": "slow"})
        while not gateway.actors:
            await asyncio.sleep(0)
        gateway.gate = None
        assert (await ask(found, op="count", entity="User", requestId="quick"))["requestId"] == "quick"
        gate.set()
        assert (await found.receive_json())["requestId"] == "slow"


async def test_no_more_than_64_requests_are_under_way_and_none_is_lost(
    client: aiohttp.ClientSession, gateway: MemoryGateway
) -> None:
    async with connected(client, "/ws?events=none") as (found, _):
        gate = gateway.gate = asyncio.Event()
        for n in range(200):
            await found.send_json({"op": "count", "entity": "User", "requestId": n})
        while len(gateway.actors) < 64:
            await asyncio.sleep(0)
        async with client.get("/health/live"):
            assert len(gateway.actors) == 64
        gate.set()
        assert {(await found.receive_json())["requestId"] for _ in range(200)} == set(range(200))


async def test_an_unforeseen_failure_is_answered_without_its_details(
    client: aiohttp.ClientSession, gateway: MemoryGateway, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(client) as (found, _):
        gateway.failure = KeyError("the secret of the house")
        answer = await ask(found, op="count", entity="User", requestId=1)
        assert answer["error"]["code"] == "INTERNAL"  # type: ignore[index]
        assert "secret" not in json.dumps(answer)
        assert "the secret of the house" in caplog.text


async def test_a_client_that_never_subscribes_hears_everything(client: aiohttp.ClientSession) -> None:
    async with connected(client) as (found, _):
        token = await create(client, id="a", name="Ann", password="x")
        assert await found.receive_json() == {
            "type": "event", "event": "entity.created", "entity": "User", "id": "a", "version": 1,
            "data": {"id": "a", "name": "Ann", "age": 0, "tags": None}, "position": token,
        }  # fmt: skip
        async with client.post("/api/v1/users/upsert", json={"filter": {"name": "Ann"}, "data": {"age": 2}}):
            event = await found.receive_json()
            assert (event["event"], event["version"], event["data"]["age"]) == ("entity.upserted", 2, 2)
        async with client.delete("/api/v1/users/a"):
            event = await found.receive_json()
            assert (event["event"], event["id"], "data" in event) == ("entity.deleted", "a", False)


async def test_bulk_operations_are_heard_row_by_row(client: aiohttp.ClientSession) -> None:
    await create(client, id="a", name="Ann")
    await create(client, id="b", name="Ben")
    async with connected(client) as (found, _):
        async with client.put("/api/v1/users/bulk", json={"data": {"age": 1}, "confirm": True}):
            events = [await found.receive_json() for _ in range(2)]
        assert [(event["event"], event["id"]) for event in events] == [("entity.updated", "a"), ("entity.updated", "b")]


async def test_a_subscription_replaces_everything_and_names_itself(client: aiohttp.ClientSession) -> None:
    async with connected(client) as (found, _):
        answer = await ask(found, type="subscribe", entity="users", filter={"age": {"$gte": 18}}, requestId="s")
        assert (answer["requestId"], answer["status"], answer["subscription"]) == ("s", "ok", "1")
        await create(client, "/api/v1/notes", text="hi")
        await create(client, id="young", name="Ann", age=3)
        await create(client, id="old", name="Ben", age=30)
        event = await found.receive_json()
        assert (event["id"], event["subscription"]) == ("old", "1")
        assert (await ask(found, type="unsubscribe", subscription="1"))["status"] == "ok"
        await create(client, id="older", name="Cleo", age=60)
        assert (await ask(found, op="count", entity="User"))["data"] == 3


async def test_an_unsubscribe_without_a_name_ends_the_default_tail(client: aiohttp.ClientSession) -> None:
    async with connected(client) as (found, _):
        await found.send_json({"type": "unsubscribe"})
        assert (await found.receive_json())["status"] == "ok"
        await create(client, name="Ann")
        await found.send_json({"op": "count", "entity": "User"})
        assert (await found.receive_json())["type"] == "response"


async def test_a_tail_resumes_behind_a_position(client: aiohttp.ClientSession) -> None:
    tokens = [await create(client, id=name, name=name) for name in "abc"]
    async with connected(client, f"/ws?after={tokens[0]}") as (found, greeting):
        assert greeting["position"] == tokens[0]
        assert [(await found.receive_json())["id"] for _ in range(2)] == ["b", "c"]
        await ask(found, type="subscribe", entities=["User"], after=tokens[1])
        event = await found.receive_json()
        assert (event["id"], event["position"]) == ("c", tokens[2])


async def test_a_project_has_a_socket_of_its_own(client: aiohttp.ClientSession) -> None:
    async with connected(client, "/shop/ws") as (found, greeting):
        assert greeting["entities"] == ["Note"]
        await create(client, "/api/v1/notes", id="other", text="x")
        await create(client, "/shop/api/v1/notes", id="mine", text="x")
        assert (await found.receive_json())["id"] == "mine"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ws", 426),
        ("/ws/x", 404),
        ("/ws?colour=1", 400),
        ("/ws?after=x", 400),
        ("/ws?events=some", 400),
        ("/ghost/ws", 404),
        ("/ws?project=ghost", 404),
    ],
)
async def test_a_handshake_that_makes_no_sense_is_refused_over_http(
    client: aiohttp.ClientSession, path: str, status: int
) -> None:
    if status == 426:
        async with client.get(path) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (426, "UPGRADE_REQUIRED")
        return
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(path)
    assert refused.value.status == status


async def test_a_binary_message_closes_with_1003(client: aiohttp.ClientSession) -> None:
    async with connected(client) as (found, _):
        await found.send_bytes(b"x")
        assert (await found.receive()).type is WSMsgType.CLOSE
        assert found.close_code == 1003


async def test_a_message_over_a_megabyte_closes_with_1009(client: aiohttp.ClientSession) -> None:
    async with connected(client) as (found, _):
        await found.send_str("x" * (1024 * 1024 + 1))
        assert (await found.receive()).type is WSMsgType.CLOSE
        assert found.close_code == 1009


async def test_a_stop_answers_what_was_asked_and_closes_with_1000(
    client: aiohttp.ClientSession, server: Server, gateway: MemoryGateway
) -> None:
    async with connected(client) as (found, _):
        gateway.gate = asyncio.Event()
        await found.send_json({"op": "count", "entity": "User", "requestId": 1})
        while not gateway.actors:
            await asyncio.sleep(0)
        stopping = asyncio.create_task(server.doors[1].close())
        await asyncio.sleep(0)
        gateway.gate.set()
        assert (await found.receive_json())["requestId"] == 1
        message = await found.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1000, "Server shutting down")
        await stopping


async def test_a_broken_tail_closes_with_1013_and_the_position_to_resume_from(
    client: aiohttp.ClientSession, gateway: MemoryGateway
) -> None:
    async with connected(client) as (found, _):
        token = await create(client, id="a", name="Ann")
        assert (await found.receive_json())["position"] == token
        gateway.project(DEFAULT_PROJECT).log.break_off(OSError("gone"))
        message = await found.receive()
        assert (message.data, message.extra) == (1013, f"the stream of facts was interrupted, resume after {token}")


async def test_a_client_that_does_not_read_is_cut_and_can_resume_without_loss(
    client: aiohttp.ClientSession, server: Server, settings: HttpSettings
) -> None:
    address = urlsplit(server.url)
    reader, writer = await _handshake(str(address.hostname), address.port or 0)
    log = server.gateway.project(DEFAULT_PROJECT).log
    written = 0
    while log.readers and written < 2000:
        await create(client, id=f"n{written}", name="x" * 20_000)
        written += 1
    assert written < 2000
    messages, code, reason = await _drain(reader)
    writer.close()
    assert code == 1013
    assert reason.startswith("too slow, resume after ")
    heard = [message["id"] for message in messages if message["type"] == "event"]
    assert heard == [f"n{n}" for n in range(len(heard))]
    async with connected(client, "/ws?after=" + reason.rsplit(" ", 1)[1]) as (found, _):
        if len(heard) < written:
            assert (await found.receive_json())["id"] == f"n{len(heard)}"


async def _handshake(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client whose small window makes the server's buffer fill soon."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=4096)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def _drain(reader: asyncio.StreamReader) -> tuple[list[dict[str, object]], int, str]:
    """Read frames to the close frame, checking that each begins where the one before it ended."""
    messages: list[dict[str, object]] = []
    while True:
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        payload = await reader.readexactly(size)
        if first == 0x88:
            return messages, int.from_bytes(payload[:2], "big"), payload[2:].decode()
        assert first == 0x81
        messages.append(json.loads(payload))
