"""Subscriptions over GraphQL, by the clients that people use: every fact once, across whatever happens to the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import peers
from tests.proxy import Proxy
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_TAGS = """subscription ($after: String) {
  tagEvents(after: $after) { kind op id version position at row { id label } }
}"""
_PROTOCOLS = ("ws", "sse")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("live") / "data", SHOP) as found:
        yield found
        assert "Traceback" not in found.log()


@pytest.fixture
async def peer() -> AsyncIterator[peers.Heard]:
    found = peers.Heard("graphql_live.mjs")
    yield found
    found.close()


async def graphql(server: Server, query: str, **variables: Any) -> Any:
    """The data of a document that must succeed."""
    body = {"query": query, "variables": variables}
    async with aiohttp.ClientSession(server.url) as session, session.post("/graphql", json=body) as reply:
        told = await reply.json()
    assert "errors" not in told, told
    return told["data"]


async def tag(server: Server, label: str) -> str:
    made = await graphql(server, "mutation($l: String) { createTag(input: {label: $l}) { id } }", l=label)
    return str(made["createTag"]["id"])


async def heard(peer: peers.Heard, wanted: str = "result", within: float = 60) -> Any:
    """The next event that says this."""
    while True:
        event = await asyncio.wait_for(peer.events.get(), within)
        if wanted in event:
            return event[wanted]


async def event(peer: peers.Heard) -> Any:
    """The next event of a subscription."""
    result = await heard(peer)
    assert "errors" not in result, result
    return next(iter(result["data"].values()))


@pytest.mark.parametrize("protocol", _PROTOCOLS)
async def test_every_fact_comes_once_and_in_order_across_connections_that_break(
    server: Server, peer: peers.Heard, protocol: str
) -> None:
    first = await tag(server, f"{protocol}-first")
    after = {"after": await position_of(server)}
    made = [first]
    seen: list[str] = []
    async with Proxy(server.port) as proxy:
        url = f"{proxy.url}/graphql"
        await peer.ask({"name": "a", "protocol": protocol, "url": url, "query": _TAGS, "variables": after})
        for round_ in range(4):
            made += [await tag(server, f"{protocol}-{round_}-{n}") for n in range(10)]
            while len(seen) < len(made) - 4 - 1:
                seen.append((await event(peer))["id"])
            await proxy.drop()
            made += [await tag(server, f"{protocol}-away-{round_}-{n}") for n in range(5)]
        while len(seen) < len(made) - 1:
            seen.append((await event(peer))["id"])
    assert seen == made[1:]


async def position_of(server: Server) -> str:
    """Where the log ends now."""
    query = 'mutation { updateManyTags(where: {label: {eq: "nothing"}}, input: {label: "x"}) }'
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.post("/graphql", json={"query": query}) as reply,
    ):
        return str((await reply.json())["extensions"]["position"])


@pytest.mark.parametrize("protocol", _PROTOCOLS)
async def test_an_event_tells_what_happened_to_a_row(server: Server, peer: peers.Heard, protocol: str) -> None:
    position = await position_of(server)
    id = await tag(server, f"told-{protocol}")
    await graphql(server, 'mutation($id: ID!) { updateTag(id: $id, input: {label: "Upper"}) { id } }', id=id)
    await graphql(server, "mutation($id: ID!) { deleteTag(id: $id) }", id=id)
    url = f"{server.url}/graphql"
    await peer.ask({"name": "a", "protocol": protocol, "url": url, "query": _TAGS, "variables": {"after": position}})
    created, updated, deleted = [await event(peer) for _ in range(3)]
    assert [each["kind"] for each in (created, updated, deleted)] == ["CREATED", "UPDATED", "DELETED"]
    assert [each["op"] for each in (created, updated, deleted)] == ["create", "update", "delete"]
    assert [each["version"] for each in (created, updated)] == [1, 2]
    assert {each["id"] for each in (created, updated, deleted)} == {id}
    assert created["row"] == {"id": id, "label": f"told-{protocol}"}
    assert deleted["row"] is None


async def test_a_filter_kinds_and_relations_shape_what_is_told(server: Server, peer: peers.Heard) -> None:
    position = await position_of(server)
    query = """subscription ($after: String) {
      customerEvents(after: $after, kinds: [CREATED, UPDATED], where: {visits: {gte: 5}}) {
        kind position row { email visits tags { label } referrer { email } }
      }
    }"""
    make = "mutation($input: CustomerInput!) { createCustomer(input: $input) { id } }"
    label = await tag(server, "of-an-event")
    few = await graphql(server, make, input={"email": "few@x.org", "visits": 1})
    many = {"email": "many@x.org", "visits": 7, "tags": [label], "referrer": few["createCustomer"]["id"]}
    made = (await graphql(server, make, input=many))["createCustomer"]["id"]
    await graphql(server, "mutation($id: ID!) { deleteCustomer(id: $id) }", id=made)
    await graphql(server, make, input={"email": "more@x.org", "visits": 9})
    url = f"{server.url}/graphql"
    await peer.ask({"name": "a", "protocol": "ws", "url": url, "query": query, "variables": {"after": position}})
    told = await event(peer)
    assert told["row"] == {
        "email": "many@x.org", "visits": 7, "tags": [{"label": "of-an-event"}], "referrer": {"email": "few@x.org"},
    }  # fmt: skip
    assert (await event(peer))["row"]["email"] == "more@x.org"


@pytest.mark.parametrize("protocol", _PROTOCOLS)
async def test_all_entities_are_told_of_at_once(server: Server, peer: peers.Heard, protocol: str) -> None:
    position = await position_of(server)
    query = """subscription ($after: String) {
      events(after: $after, entities: ["Tag", "Customer"]) { entity kind id row position }
    }"""
    id = await tag(server, f"all-{protocol}")
    url = f"{server.url}/graphql"
    await peer.ask({"name": "a", "protocol": protocol, "url": url, "query": query, "variables": {"after": position}})
    told = await event(peer)
    assert (told["entity"], told["kind"], told["id"]) == ("Tag", "CREATED", id)
    assert told["row"] == {"id": id, "label": f"all-{protocol}"}


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("subscription { tagEvents { nope } }", {}, "UNKNOWN_FIELD"),
        ('subscription { tagEvents(after: "nonsense") { id } }', {}, "INVALID_POSITION"),
        ('subscription { tagEvents(filter: "{") { id } }', {}, "PARSE_ERROR"),
        ('subscription { events(entities: ["Nobody"]) { id } }', {}, "ENTITY_NOT_FOUND"),
        ('subscription { customerEvents { row { tags(sort: "{") { id } } } }', {}, "PARSE_ERROR"),
        ('subscription { customerEvents { row { tags(sort: "{\\"x\\":1}") { id } } } }', {}, "UNKNOWN_FIELD"),
        ("subscription ($k: [EventKind!]) { tagEvents(kinds: $k) { id } }", {"k": ["EATEN"]}, "VALIDATION_ERROR"),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused_with_the_stable_code(
    server: Server, peer: peers.Heard, protocol: str, query: str, variables: Any, code: str
) -> None:
    url = f"{server.url}/graphql"
    await peer.ask({"name": "a", "protocol": protocol, "url": url, "query": query, "variables": variables})
    while True:
        told = await asyncio.wait_for(peer.events.get(), 60)
        errors = told.get("error") or told.get("result", {}).get("errors")
        if errors:
            assert errors[0]["extensions"]["code"] == code
            return


@pytest.mark.parametrize("protocol", _PROTOCOLS)
async def test_queries_and_mutations_go_the_same_way(server: Server, peer: peers.Heard, protocol: str) -> None:
    url = f"{server.url}/graphql"
    query = "mutation ($l: String) { createTag(input: {label: $l}) { label } }"
    await peer.ask(
        {"name": "a", "protocol": protocol, "url": url, "query": query, "variables": {"l": f"by-{protocol}"}}
    )
    assert (await heard(peer))["data"] == {"createTag": {"label": f"by-{protocol}"}}
    assert await heard(peer, "complete")


async def test_the_socket_keeps_to_its_protocol(server: Server) -> None:
    async def ending(*messages: str, protocol: str = "graphql-transport-ws") -> int | None:
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(f"{server.url}/graphql", protocols=(protocol,))
            async with socket:
                for message in messages:
                    await socket.send_str(message)
                while not socket.closed:
                    await socket.receive()
                return socket.close_code

    init, subscribe = '{"type":"connection_init"}', json.dumps({
        "id": "1", "type": "subscribe", "payload": {"query": "subscription { tagEvents { id } }"},
    })  # fmt: skip
    assert await ending("nonsense") == 4400
    assert await ending("[]") == 4400
    assert await ending(init, '{"type":"what"}') == 4400
    assert await ending(init, '{"type":"subscribe","payload":{}}') == 4400
    assert await ending(subscribe) == 4401
    assert await ending(init, init) == 4429
    assert await ending(init, subscribe, subscribe) == 4409
    assert await ending(init, protocol="graphql-ws") == 4406


async def test_a_ping_is_answered_before_anything_else(server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{server.url}/graphql", protocols=("graphql-transport-ws",))
        await socket.send_str('{"type":"ping"}')
        assert await socket.receive_json() == {"type": "pong"}
        await socket.close()


async def test_a_plain_event_source_resumes_by_the_ids_of_its_events(server: Server) -> None:
    made = [await tag(server, f"plain-{n}") for n in range(3)]
    query = "subscription { tagEvents { id } }"
    seen: list[str] = []
    last = await position_of(server)
    made += [await tag(server, f"plain-more-{n}") for n in range(3)]
    for _ in range(3):
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        async with (
            aiohttp.ClientSession(server.url) as session,
            session.get("/graphql", params={"query": query}, headers=headers) as reply,
        ):
            assert (reply.status, reply.content_type) == (200, "text/event-stream")
            async for line in reply.content:
                if line.startswith(b"id: "):
                    last = line[4:].strip().decode()
                if line.startswith(b"data: {"):
                    seen.append(json.loads(line[6:])["data"]["tagEvents"]["id"])
                    break
    assert seen == made[3:]


async def test_a_stop_ends_streams_and_sockets_so_that_clients_come_again(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        with Server(tmp_path / "data", SHOP) as server:
            socket = await session.ws_connect(f"{server.url}/graphql", protocols=("graphql-transport-ws",))
            await socket.send_str('{"type":"connection_init"}')
            assert (await socket.receive_json())["type"] == "connection_ack"
            body = {"query": "subscription { tagEvents { id } }"}
            headers = {"Accept": "text/event-stream"}
            async with session.post(f"{server.url}/graphql", json=body, headers=headers) as stream:
                stopping = asyncio.create_task(asyncio.to_thread(server.stop))
                message = await asyncio.wait_for(socket.receive(), 60)
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
                # Without an end of the operation: its client knows that it was not over.
                assert b"complete" not in await asyncio.wait_for(stream.content.read(), 60)
                assert await stopping == 0


async def test_what_is_complete_is_told_no_more_and_its_name_is_free(server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{server.url}/graphql", protocols=("graphql-transport-ws",))
        await socket.send_json({"type": "connection_init"})
        assert (await socket.receive_json())["type"] == "connection_ack"
        for name in ("one", "two"):
            # With a past to tell, it begins to be told of at once.
            position = await position_of(server)
            label = f"complete-{name}"
            await tag(server, label)
            query = f'subscription {{ tagEvents(after: "{position}") {{ row {{ label }} }} }}'
            await socket.send_json({"id": "same", "type": "subscribe", "payload": {"query": query}})
            told = await asyncio.wait_for(socket.receive_json(), 60)
            assert told["payload"] == {"data": {"tagEvents": {"row": {"label": label}}}}
            await socket.send_json({"id": "same", "type": "complete"})
            await socket.send_json({"type": "ping"})
            assert await asyncio.wait_for(socket.receive_json(), 60) == {"type": "pong"}
            await tag(server, f"{label}-after")
        await socket.send_json({"type": "ping"})
        assert await asyncio.wait_for(socket.receive_json(), 60) == {"type": "pong"}
        await socket.close()


async def test_many_who_ask_the_same_are_told_the_same(server: Server) -> None:
    async def listen(session: aiohttp.ClientSession, after: str, kinds: str) -> list[Any]:
        query = f'subscription {{ tagEvents(after: "{after}", kinds: {kinds}) {{ kind id row {{ label }} }} }}'
        headers = {"Accept": "text/event-stream"}
        found: list[Any] = []
        async with session.post("/graphql", json={"query": query}, headers=headers) as reply:
            async for line in reply.content:
                if line.startswith(b"data: {"):
                    found.append(json.loads(line[6:])["data"]["tagEvents"])
                    if found[-1]["kind"] == "DELETED":
                        return found
        raise AssertionError("the stream ended")

    after = await position_of(server)
    async with aiohttp.ClientSession(server.url) as session:
        wanted = ["[CREATED, DELETED]", "[UPDATED, DELETED]", "[]", "[]", "[]", "[]"]
        listening = [asyncio.create_task(listen(session, after, kinds)) for kinds in wanted]
        id = await tag(server, "same")
        await graphql(server, 'mutation($id: ID!) { updateTag(id: $id, input: {label: "other"}) { id } }', id=id)
        await graphql(server, "mutation($id: ID!) { deleteTag(id: $id) }", id=id)
        created, updated, *whole = await asyncio.wait_for(asyncio.gather(*listening), 60)
    assert [event["kind"] for event in whole[0]] == ["CREATED", "UPDATED", "DELETED"]
    assert all(each == whole[0] for each in whole)
    assert created == [whole[0][0], whole[0][2]]
    assert updated == whole[0][1:]
