"""tRPC v11, judged by its own client over each of its links and by the TypeScript compiler."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import COMMANDS
from projections import QUERIES
from tests import peers
from tests.acceptance.bodies import BODIES
from tests.proxy import Proxy
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
LINKS = ["httpLink", "httpBatchLink", "httpBatchStreamLink", "wsLink"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("trpc") / "data", SHOP) as found:
        yield found
    assert "Traceback" not in found.log()


@asynccontextmanager
async def client(url: str, **how: str) -> AsyncIterator[Any]:
    """Asks through the client: `(kind, path, input)` gives its answer; several such give a list."""
    async with peers.started("trpc.mjs") as peer:

        async def ask(*calls: tuple[str, str, Any]) -> Any:
            return await peer.ask({"url": f"{url}/trpc", **how, "calls": calls})

        ask.peer = peer  # type: ignore[attr-defined]
        yield ask


def fetch(server: Server, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
    data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{server.url}/trpc{path}", data, sent)
    try:
        reply = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as problem:
        reply = problem
    with reply:
        return reply.status, json.load(reply), dict(reply.headers)


@pytest.mark.parametrize("link", LINKS)
async def test_every_link_asks_writes_and_is_told_what_went_wrong(server: Server, link: str) -> None:
    email = f"{link.lower()}@x.org"
    async with client(server.url, link=link) as ask:
        [made] = await ask(("mutation", "Customer.create", {"data": {"email": email}}))
        row = made["ok"]["data"]
        assert made["ok"].keys() == {"status", "data", "position", "version"}
        found, counted, missing, wrong, refused = await ask(
            ("query", "Customer.findById", {"id": row["id"]}),
            ("query", "Customer.count", {"filter": {"email": email}}),
            ("query", "Customer.nothing", None),
            ("query", "customers.findAll", {"filter": {"visits": {"$foo": 1}}}),
            ("query", "Ghost.findAll", None),
        )
        assert (found["ok"]["data"], counted["ok"]["data"]) == (row, 1)
        assert [each["error"]["data"]["code"] for each in (missing, wrong, refused)] == [
            "NOT_FOUND", "BAD_REQUEST", "NOT_FOUND",
        ]  # fmt: skip
        assert wrong["error"]["data"]["octonet"]["details"][0]["path"] == "$.filter.visits.$foo"
        wish = ("mutation", "Customer.increment", {"id": row["id"], "field": "visits", "amount": 0.5})
        twice = await ask(wish, wish)
        assert sorted(each["ok"]["data"]["visits"] for each in twice) == [0.5, 1]
        [taken] = await ask(("mutation", "Customer.create", {"data": {"email": email}}))
        assert (taken["error"]["code"], taken["error"]["data"]["octonet"]["code"]) == (-32009, "UNIQUE_VIOLATION")


async def test_answers_of_a_batch_come_as_they_are_ready(server: Server) -> None:
    given = json.dumps({"0": {"id": "ghost"}, "1": {}})
    async with aiohttp.ClientSession(headers={"trpc-accept": "application/jsonl"}) as session:
        address = f"{server.url}/trpc/Customer.findById,Customer.count"
        async with session.get(address, params={"batch": "1", "input": given}) as reply:
            assert reply.headers["Transfer-Encoding"] == "chunked"
            lines = [json.loads(line) async for line in reply.content]
    assert lines[0] == {"0": [[0], [None, 0, 0]], "1": [[0], [None, 0, 1]]}
    told = {number: value for number, status, [[value]] in lines[1:] if status == 0}
    assert told[0]["result"]["data"] == {"status": "ok", "data": None}
    assert told[1]["result"]["data"]["status"] == "ok"


@pytest.mark.parametrize("link", ["httpLink", "wsLink"])
async def test_a_subscription_tells_each_fact_once_across_broken_connections(server: Server, link: str) -> None:
    async with Proxy(server.port) as proxy, client(proxy.url, link=link) as ask:
        peer = ask.peer
        label = f"{link.lower()}-"
        watching = {"watch": "Tag.watch", "input": {"filter": {"label": {"$regex": f"^{label}"}}}, "link": link}
        number = await peer.ask({"url": f"{proxy.url}/trpc", **watching})
        assert await peer.events.get() == {"number": number, "started": True}
        told: list[Any] = []
        for round in range(4):
            for each in range(5):
                made = {"data": {"label": f"{label}{round}{each}"}}
                [done] = await writes(server, ("mutation", "Tag.create", made))
                assert "ok" in done
            told += await data(peer, 3)
            await proxy.drop()
        told += await data(peer, 20 - len(told))
        assert [one["data"]["data"]["label"] for one in told] == [
            f"{label}{round}{each}" for round in range(4) for each in range(5)
        ]
        assert all(one["id"] == one["data"]["position"] for one in told)
        await peer.ask({"stop": number})


async def writes(server: Server, *calls: tuple[str, str, Any]) -> Any:
    peer = peers.standing("trpc.mjs")
    return await peer.ask({"url": f"{server.url}/trpc", "calls": calls})


async def data(peer: peers.Heard, count: int) -> list[Any]:
    """The next so many tracked events."""
    found: list[Any] = []
    while len(found) < count:
        event = await asyncio.wait_for(peer.events.get(), 60)
        assert "error" not in event, event
        if "data" in event:
            found.append(event["data"])
    return found


async def test_a_socket_answers_stops_and_refuses(server: Server) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.url}/trpc") as socket:

        async def said(*messages: Any) -> Any:
            await socket.send_str(json.dumps(messages if len(messages) > 1 else messages[0]))
            return [await socket.receive_json(timeout=60) for _ in messages]

        def asked(id: Any, method: str, path: str, **params: Any) -> Any:
            return {"id": id, "method": method, "params": {"path": path, **params}}

        await socket.send_str("PING")
        assert (await socket.receive(timeout=60)).data == "PONG"
        two = await said(asked(1, "query", "Tag.count"), asked("b", "query", "Tag.nothing"))
        assert {json.dumps(each["id"]): "error" in each for each in two} == {"1": False, '"b"': True}
        assert (await said(asked(2, "subscription", "Tag.watch")))[0] == {"id": 2, "result": {"type": "started"}}
        [again] = await said(asked(2, "subscription", "Tag.watch"))
        assert again["error"]["data"]["octonet"]["code"] == "DUPLICATE_ID"
        assert (await said({"id": 2, "method": "subscription.stop"}))[0] == {"id": 2, "result": {"type": "stopped"}}
        assert (await said(asked(2, "subscription", "Tag.watch")))[0]["result"]["type"] == "started"
        for wrong in (
            asked(None, "query", "Tag.count"),
            asked(3, "mutation", "Tag.count"),
            asked(3, "subscription", "Tag.watch", lastEventId="nonsense"),
            asked(3, "subscription", "Ghost.watch"),
            {"id": 3, "method": "query"},
            {"id": 3, "method": "dance", "params": {"path": "Tag.count"}},
            7,
        ):
            [told] = await said(wrong)
            assert told["error"]["data"]["httpStatus"] in (400, 404), told
        await socket.send_str("{nonsense")
        assert (await socket.receive_json(timeout=60))["error"]["code"] == -32700
        await socket.send_str(json.dumps([asked(number, "query", "Tag.count") for number in range(101)]))
        assert (await socket.receive_json(timeout=60))["error"]["code"] == -32013


def test_a_wrong_verb_a_wrong_type_and_a_wrong_path_are_told_in_the_same_shape(server: Server) -> None:
    status, told, headers = fetch(server, "/Customer.create?input=%7B%7D")
    assert (status, headers["Allow"], told["error"]["code"]) == (405, "POST", -32005)
    assert told["error"]["data"] == {
        "code": "METHOD_NOT_SUPPORTED", "httpStatus": 405, "path": "Customer.create",
        "octonet": {"code": "METHOD_NOT_ALLOWED", "message": told["error"]["message"]},
    }  # fmt: skip
    for path, body, more, number, expected in (
        ("/nothing", None, {}, -32004, 404),
        ("/a/b", None, {}, -32004, 404),
        ("/Customer.create", "x", {"Content_Type": "text/plain"}, -32015, 415),
        ("/Customer.create", "{bad", {}, -32700, 400),
        ("/Customer.count?input=%7Bbad", None, {}, -32700, 400),
        ("/Customer.count?input=7", None, {}, -32600, 400),
        ("/Customer.count?foo=1", None, {}, -32600, 400),
        ("/Customer.count?batch=1&input=[]", None, {}, -32600, 400),
        ("/Customer.watch", None, {}, -32005, 405),
        ("/" + ",".join(["Customer.count"] * 101) + "?batch=1", None, {}, -32013, 413),
    ):
        status, told, _ = fetch(server, path, body, **more)
        assert (told["error"]["code"], status) == (number, expected), (path, told)


def test_statuses_that_differ_make_a_batch_207(server: Server) -> None:
    given = '{"0":{"id":"ghost"}}'
    for path, expected in (
        ("Customer.findById,Customer.count", 200),
        ("Customer.findById,nothing", 207),
        ("nothing,nothing", 404),
    ):
        status, told, headers = fetch(server, f"/{path}?batch=1&input={quote(given)}")
        assert (status, len(told), headers["Vary"]) == (expected, 2, "trpc-accept, accept")


def test_the_reference_spelling_of_inputs_is_understood(server: Server) -> None:
    wish = {"filter": '{"email":{"$regex":"zz"}}', "sort": '{"email":-1}', "limit": 0, "skip": 0}
    for body in (wish, {"input": wish}):
        status, told, _ = fetch(server, "/Customer.findAll", body)
        assert (status, told["result"]["data"]["data"]) == (200, [])


def test_headers_put_conditions_on_a_single_call(server: Server) -> None:
    id = fetch(server, "/Customer.create", {"data": {"email": "head@x.org"}})[1]["result"]["data"]["data"]["id"]
    wish = {"id": id, "field": "visits", "amount": 1}
    first = fetch(server, "/Customer.increment", wish, Idempotency_Key="k")[1]
    assert fetch(server, "/Customer.increment", wish, Idempotency_Key="k")[1] == first
    status, told, _ = fetch(server, "/Customer.increment", wish, If_Match='"1"')
    assert (status, told["error"]["data"]["code"]) == (412, "PRECONDITION_FAILED")
    assert fetch(server, "/Customer.increment,Tag.count?batch=1", {"0": wish}, Idempotency_Key="k")[0] == 400


def test_the_router_has_types_that_compile_and_that_know_right_from_wrong(server: Server, tmp_path: Path) -> None:
    listed = fetch(server, "")[1]
    names = {each["name"]: each["type"] for each in listed["procedures"]}
    assert len(names) == 4 * (len(COMMANDS) + len(QUERIES) + 1)
    assert (names["Customer.count"], names["Order.upsert"], names["Tag.watch"]) == ("query", "mutation", "subscription")
    with urllib.request.urlopen(f"{server.url}/trpc/AppRouter.d.ts", timeout=60) as reply:
        text = reply.read().decode()
    assert text == listed["types"]
    folder = peers.HERE / "node_modules" / ".types"
    folder.mkdir(exist_ok=True)
    (folder / "AppRouter.d.ts").write_text(text)
    (folder / "use.ts").write_text((Path(__file__).parent / "trpc_use.ts").read_text())
    flags = ("--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom,esnext")
    done = peers.run("node_modules/typescript/bin/tsc", *flags, str(folder / "use.ts"))
    assert done.stdout == ""
    assert done.returncode == 0


async def test_a_key_opens_links_and_subscriptions_and_its_end_closes_them(tmp_path: Path) -> None:
    with Server(tmp_path / "data", SHOP, OCTONET_OPEN_MODE="") as server:
        made = server.launch("keys", "issue", "trpc", "--projects", "*", "--operations", "read,write,admin")
        key = (made.output.until(lambda line: line.startswith("sk_"), 60) or "").strip()
        assert made.reap() == 0
        for link in LINKS:
            async with client(server.url, link=link, key=key) as ask:
                assert (await ask(("query", "Tag.count", None)))[0]["ok"]["data"] == 0
        async with peers.started("trpc.mjs") as peer:
            for link in ("httpLink", "wsLink"):
                how = {"url": f"{server.url}/trpc", "watch": "Tag.watch", "key": key, "link": link}
                number = await peer.ask(how)
                assert await asyncio.wait_for(peer.events.get(), 60) == {"number": number, "started": True}
            revoked = server.launch("keys", "revoke", key[:20])
            assert revoked.reap() == 0
            ended = await asyncio.wait_for(peer.events.get(), 60)
            assert ended["error"]["data"]["code"] == "UNAUTHORIZED"
        async with aiohttp.ClientSession() as session:
            for query in ("", "?connectionParams=1"):
                if not query:
                    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
                        await session.ws_connect(f"{server.url}/trpc")
                    continue
                async with session.ws_connect(f"{server.url}/trpc{query}") as socket:
                    await socket.send_json({"method": "connectionParams", "data": {"apiKey": key}})
                    assert (await socket.receive_json())["error"]["code"] == -32001
                    assert (await socket.receive()).data == 1008
            params = {"connectionParams": json.dumps({"apiKey": key})}
            events = {"Accept": "text/event-stream"}
            async with session.get(f"{server.url}/trpc/Tag.watch", params=params, headers=events) as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (400, -32600)
    assert "Traceback" not in server.log()


def test_no_input_makes_the_server_fail(server: Server) -> None:
    paths = st.lists(st.sampled_from([f"Customer.{op}" for op in (*COMMANDS, *QUERIES, "watch", "x")]), max_size=3)
    batches = st.dictionaries(st.sampled_from(["0", "1", "2", "x"]), BODIES, max_size=3)

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(names=paths, body=BODIES | batches, batch=st.booleans(), post=st.booleans())
    def fuzz(names: list[str], body: object, batch: bool, post: bool) -> None:
        query = "?batch=1" if batch else ""
        if not post:
            text = json.dumps(body, ensure_ascii=True)
            query += f"{'&' if query else '?'}input={quote(text)}"
        status, told, _ = fetch(server, f"/{','.join(names)}{query}", body if post else None)
        assert status < 500, (names, body, told)
        for each in told if isinstance(told, list) else [told]:
            assert names == [] or ("result" in each) != ("error" in each)

    fuzz()
