"""The NATS door: how it tells of itself, who hears what, and programs in Node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest
from nats.errors import NoRespondersError

from commands import COMMANDS
from jetstream import subjects
from jetstream.server import find_facts, find_running
from octonet.kernel.event import Fact
from projections import QUERIES
from tests import peers
from tests.acceptance.nats_asking import SHOP, Asker, fresh, open_server
from tests.acceptance.tenants import KeyOffice
from tests.running import Server

OPERATIONS = {**QUERIES, **COMMANDS}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with open_server(tmp_path_factory.mktemp("nats-door")) as server:
        yield server


@pytest.fixture
async def asker(server: Server) -> AsyncIterator[Asker]:
    client = await nats.connect(server.listens["nats"])
    yield Asker(client)
    await client.close()


async def test_the_service_says_what_it_is_as_services_on_nats_do(asker: Asker) -> None:
    for verb in ("PING", "INFO", "STATS"):
        told = await asker.ask(f"$SRV.{verb}")
        assert told["type"] == f"io.nats.micro.v1.{verb.lower()}_response"
        assert told["name"] == "octonet"
        assert [part.isdecimal() for part in told["version"].split("-")[0].split(".")] == [True] * 3
        by_id = await asker.ask(f"$SRV.{verb}.octonet.{told['id']}")
        assert by_id["id"] == told["id"]
    info = await asker.ask("$SRV.INFO.octonet")
    assert {one["queue_group"] for one in info["endpoints"]} == {"octonet"}
    assert {one["name"] for one in info["endpoints"]} >= set(OPERATIONS)
    before = await asker.stats("findOne")
    await asker.ask("mostajs.Customer.findOne")
    await asker.ask("mostajs.Customer.findOne", {"nothing": 1})
    after = await asker.stats("findOne")
    assert (after["num_requests"] - before["num_requests"], after["num_errors"] - before["num_errors"]) == (2, 1)
    assert after["last_error"].startswith("UNKNOWN_MEMBER")
    assert after["average_processing_time"] > 0


async def test_discovery_lists_every_entity_and_operation(asker: Asker) -> None:
    told = await asker.ask("mostajs.discover")
    customer = next(one for one in told["entities"] if one["name"] == "Customer")
    assert customer["collection"] == "customers"
    assert set(customer["operations"]) == set(OPERATIONS)
    assert "email" in customer["fields"]
    assert {"mostajs.Customer.findAll", "mostajs.Customer.created", "mostajs.discover"} <= set(told["subjects"])
    other = await asker.ask("mostajs.crm.discover")
    assert "mostajs.crm.Customer.increment" in other["subjects"]
    assert (await asker.ask("mostajs.nowhere.discover"))["error"]["code"] == "UNKNOWN_PROJECT"


async def test_no_stream_captures_a_request(server: Server, asker: Asker) -> None:
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    streams = await client.jetstream().streams_info()
    captured = [subject for stream in streams for subject in stream.config.subjects or []]
    asked = [name.replace("*", token) for name in subjects.every_request(OPERATIONS) for token in ("Customer", "crm")]
    assert len(captured) >= 10
    assert {one for one in captured if any(_matches(one, subject) for subject in asked)} == set()
    assert set(OPERATIONS).isdisjoint(fact.value for fact in Fact)
    await client.close()


def _matches(pattern: str, subject: str) -> bool:
    wanted, parts = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, parts = wanted[:-1], parts[: len(wanted) - 1]
    return len(wanted) == len(parts) and all(one in ("*", part) for one, part in zip(wanted, parts, strict=True))


async def test_whoever_listens_to_facts_hears_no_request(server: Server, asker: Asker) -> None:
    endpoint = find_facts(server.directory / "nats")
    assert endpoint is not None
    listener = await nats.connect(
        endpoint.url, user=endpoint.user, password=endpoint.password, inbox_prefix=endpoint.inbox
    )
    heard = await listener.subscribe("mostajs.>")
    narrow = await listener.subscribe("mostajs.*.*")
    await listener.flush()
    for op in OPERATIONS:
        await asker.ask(f"mostajs.Customer.{op}", {}, X_API_Key="secret")
        await asker.ask(f"mostajs.crm.Customer.{op}", {}, X_API_Key="secret")
    await asker.ask("mostajs.discover", X_API_Key="secret")
    row = await asker.customer()
    for subscription in (heard, narrow):
        message = await subscription.next_msg(60)
        assert (message.subject, json.loads(message.data)["id"]) == ("mostajs.Customer.created", row["id"])
    await listener.close()


async def test_http_tells_of_the_door_beside_it(server: Server, asker: Asker) -> None:
    async with aiohttp.ClientSession(server.url) as session:
        async with session.get("/api/nats/subjects") as reply:
            assert "mostajs.Customer.upsert" in await reply.json()
        async with session.get("/crm/api/nats/subjects") as reply:
            assert "mostajs.crm.Customer.upsert" in await reply.json()
        async with session.get("/api/nats/info") as reply:
            told = await reply.json()
            assert (told["name"], told["status"], told["url"]) == ("nats", "running", server.listens["nats"])
            assert "Customer" in told["entities"]
            assert told["stats"]["requests"] > 0
        asked = {"entity": "Customer", "op": "create", "params": {"data": {"email": fresh()}}}
        async with session.post("/api/nats/call", json=asked) as reply:
            row = (await reply.json())["data"]
        asked = {"entity": "Customer", "op": "findAll", "params": {"filter": {"id": row["id"]}, "limit": 1, "skip": 0}}
        async with session.post("/api/nats/call", json=asked) as reply:
            assert (await reply.json())["data"] == [row]
        for wrong, code in (({}, "INVALID_REQUEST"), ({**asked, "op": "x"}, "UNKNOWN_OP"), ([], "INVALID_REQUEST")):
            async with session.post("/api/nats/call", json=wrong) as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (400, code)
        async with session.post("/api/nats/info") as reply:
            assert reply.status == 405


async def test_what_http_tells_of_the_door_is_for_administrators(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="") as server:
        office = KeyOffice(server)
        reading = await office.issue(operations=["read", "write"])
        for method, path in (("GET", "subjects"), ("GET", "info"), ("POST", "call")):
            assert (await office.ask(method, f"/api/nats/{path}", {}, reading))[0] == 403
            assert (await office.ask(method, f"/api/nats/{path}", {}, "nobody"))[0] == 401
        assert (await office.ask("GET", "/api/nats/subjects"))[0] == 200


async def test_requests_under_way_are_answered_when_the_server_stops(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP).start()
    endpoint = server.listens["nats"]
    client = await nats.connect(endpoint, allow_reconnect=False, connect_timeout=60)

    async def one(number: int) -> bool:
        body = json.dumps({"data": {"email": f"{number}@stop.org"}}).encode()
        try:
            return bool(json.loads((await client.request("mostajs.Customer.create", body, timeout=60)).data)["status"])
        except NoRespondersError:
            return False

    try:
        asked = [asyncio.create_task(one(number)) for number in range(200)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert await asyncio.to_thread(server.stop) == 0
        # Each was answered, or told that nobody is there any more.
        assert any(await asyncio.gather(*asked))
    finally:
        await client.close()
        # The client itself gives up on what it could not send any more, and leaves the socket to the garbage collector.
        assert client._transport is not None
        client._transport.close()  # type: ignore[no-untyped-call]
        await asyncio.sleep(0.1)


async def test_a_program_in_node_asks_for_every_operation(server: Server) -> None:
    where = {"server": server.listens["nats"].removeprefix("nats://")}
    async with peers.started("nats.mjs") as node:

        async def ask(op: str, **content: Any) -> Any:
            told = await node.ask({**where, "subject": f"mostajs.Customer.{op}", "body": json.dumps(content)})
            assert told["data"]["status"] == "ok", told
            asked.add(op)
            return told["data"].get("data", told["data"].get("metadata"))

        asked: set[str] = set()
        email = fresh()
        row = await ask("create", data={"email": email})
        id, where_ = row["id"], {"email": email}
        assert await ask("findById", id=id) == row
        assert await ask("findOne", filter=where_) == row
        assert await ask("findAll", filter=where_, limit=1) == [row]
        assert await ask("search", query=email) == [row]
        assert await ask("count", filter=where_) == 1
        stages = [{"$match": where_}, {"$group": {"n": {"$count": True}}}]
        assert (await ask("aggregate", stages=stages))[0]["n"] == 1
        assert (await ask("update", id=id, data={"vip": True}))["vip"] is True
        assert (await ask("increment", id=id, field="visits", amount=2))["visits"] == 2
        assert (await ask("addToSet", id=id, field="hobbies", value="chess"))["hobbies"] == ["chess"]
        assert (await ask("pull", id=id, field="hobbies", value="chess"))["hobbies"] == []
        assert (await ask("upsert", filter=where_, data={"visits": 9}))["visits"] == 9
        assert await ask("updateMany", filter=where_, data={"vip": False}) == {"count": 1}
        assert await ask("delete", id=id) is True
        assert await ask("deleteMany", filter=where_) == 0
        assert asked == set(OPERATIONS)
        wrong = await node.ask({**where, "subject": "mostajs.Nobody.findAll", "body": ""})
        assert wrong["headers"]["Nats-Service-Error-Code"] == "404"
        assert "none" in await node.ask({**where, "subject": "mostajs.Customer.truncate", "body": ""})


async def test_requests_are_counted_beside_those_of_other_doors(server: Server, asker: Asker) -> None:
    await asker.customer()
    async with aiohttp.ClientSession(server.url) as session, session.get("/metrics") as reply:
        told = await reply.text()
    assert any('"nats"' in line and "requests" in line for line in told.splitlines()), told[:2000]
