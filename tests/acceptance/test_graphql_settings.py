"""What an operator may set for the GraphQL door, and what keys may do there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.key_office import office_key
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
_NEW = "application/graphql-response+json"
_KEPT = "query Kept($n: Int) { tags(limit: $n) { label } }"
_HASH = sha256(_KEPT.encode()).hexdigest()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Everything set otherwise than it is by itself."""
    directory = tmp_path_factory.mktemp("strict")
    (directory / "documents").mkdir()
    (directory / "documents" / "kept.graphql").write_text(_KEPT)
    settings: dict[str, Any] = {
        "OCTONET_GRAPHQL_INTROSPECTION": "false", "OCTONET_GRAPHQL_STRICT_STATUS": "true",
        "OCTONET_GRAPHQL_DOCUMENTS": str(directory / "documents"), "OCTONET_GRAPHQL_PAGE": "false",
        "OCTONET_GRAPHQL_DEPTH": "2", "OCTONET_GRAPHQL_ALIASES": "1", "OCTONET_GRAPHQL_ROOTS": "2",
        "OCTONET_GRAPHQL_TOKENS": "40", "OCTONET_GRAPHQL_SIZE": "200", "OCTONET_GRAPHQL_COST": "50",
    }  # fmt: skip
    with Server(directory / "data", SHOP, **settings) as found:
        yield found


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Nothing but kept documents; keys are looked at."""
    directory = tmp_path_factory.mktemp("closed")
    (directory / "kept.graphql").write_text(_KEPT)
    kept: dict[str, Any] = {"OCTONET_GRAPHQL_DOCUMENTS": str(directory), "OCTONET_GRAPHQL_ONLY_DOCUMENTS": "true"}
    with Server(directory / "data", SHOP, **kept) as found:
        yield found


async def ask(server: Server, body: Any, **headers: str) -> tuple[int, Any]:
    """Status and answer."""
    told = {"Accept": _NEW, **headers}
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.post("/graphql", json=body, headers=told) as reply,
    ):
        return reply.status, json.loads(await reply.read())


async def refused(server: Server, query: str, **body: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    status, told = await ask(server, {"query": query, **body})
    return status, told["errors"][0]["extensions"]["code"]


async def test_the_status_of_the_newest_draft_can_be_chosen(strict: Server) -> None:
    assert await refused(strict, "{ nobodys { id } }") == (422, "ENTITY_NOT_FOUND")
    assert await refused(strict, "query($n: Int) { tags(limit: $n) { id } }", variables={"n": "x"}) == (
        422, "VALIDATION_ERROR",
    )  # fmt: skip
    assert await refused(strict, "{") == (400, "PARSE_ERROR")


async def test_introspection_can_be_switched_off(strict: Server) -> None:
    assert await refused(strict, "{ __schema { types { name } } }") == (422, "INTROSPECTION_DISABLED")
    assert await refused(strict, '{ __type(name: "Tag") { name } }') == (422, "INTROSPECTION_DISABLED")
    assert (await ask(strict, {"query": "{ __typename }"}))[1] == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ customers { referrer { id } } }", "DOCUMENT_TOO_LARGE"),
        ("{ a: tagCount b: tagCount }", "DOCUMENT_TOO_LARGE"),
        ("{ tagCount customerCount orderCount }", "DOCUMENT_TOO_LARGE"),
        ("{ tags { id label } #" + "x" * 200 + "\n}", "DOCUMENT_TOO_LARGE"),
        ("{ " + "tagCount " * 40 + "}", "DOCUMENT_TOO_LARGE"),
        ("{ " + "id " * 45 + "}", "PARSE_ERROR"),
        ("{ tags(limit: 60) { id } }", "DOCUMENT_TOO_EXPENSIVE"),
        ("{ tags { id } }", "DOCUMENT_TOO_EXPENSIVE"),
    ],
)
async def test_every_limit_can_be_set(strict: Server, query: str, code: str) -> None:
    assert (await refused(strict, query))[1] == code


async def test_the_page_can_be_switched_off(strict: Server, closed: Server) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        async with session.get(f"{strict.url}/graphql", headers=headers) as reply:
            assert (reply.status, reply.content_type) == (400, "application/json")
        async with session.get(f"{closed.url}/graphql", headers=headers) as reply:
            assert (reply.status, reply.content_type) == (200, "text/html")
            policy = reply.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy


@pytest.mark.parametrize(
    "named",
    [
        {"documentId": "kept"},
        {"documentId": _HASH},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": _HASH}}},
        {"query": _KEPT},
        {"query": _KEPT, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": _HASH}}},
    ],
)
async def test_a_document_that_is_kept_is_named_instead_of_sent(strict: Server, closed: Server, named: Any) -> None:
    for server in (strict, closed):
        assert await ask(server, {**named, "variables": {"n": 5}}) == (200, {"data": {"tags": []}})


async def test_what_is_not_kept_is_not_found_and_with_the_switch_not_executed(strict: Server, closed: Server) -> None:
    other = {"persistedQuery": {"version": 1, "sha256Hash": sha256(b"{ tagCount }").hexdigest()}}
    for server in (strict, closed):
        for body in ({"documentId": "nothing"}, {"extensions": other}):
            _, told = await ask(server, body)
            (error,) = told["errors"]
            assert (error["message"], error["extensions"]["code"]) == (
                "PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND",
            )  # fmt: skip
    assert (await refused(closed, "{ tagCount }"))[1] == "PERSISTED_QUERY_ONLY"
    assert (await refused(closed, "{ tagCount }", extensions=other))[1] == "PERSISTED_QUERY_NOT_FOUND"
    assert await ask(strict, {"query": "{ tagCount }", "extensions": other}) == (200, {"data": {"tagCount": 0}})
    wrong = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    assert (await refused(strict, "{ tagCount }", extensions=wrong))[1] == "PERSISTED_QUERY_MISMATCH"
    assert (await refused(strict, "{ tagCount }", documentId="kept"))[1] == "PERSISTED_QUERY_MISMATCH"


def test_a_folder_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", SHOP, OCTONET_GRAPHQL_DOCUMENTS=str(tmp_path / "nowhere"))
    with pytest.raises(AssertionError, match="OCTONET_GRAPHQL_DOCUMENTS: there is no folder"):
        server.start()
    assert "Traceback" not in server.log()


class Site:
    """A server that looks at keys, with a key that may issue others."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.office = office_key(server)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """As the office."""
        async with aiohttp.ClientSession(self.server.url, headers={"X-API-Key": self.office}) as session:  # noqa: SIM117
            async with session.request(method, path, json=body) as reply:
                return (await reply.json())["data"]

    async def key(self, operations: list[str], **scopes: Any) -> str:
        """A new key."""
        granted = {"projects": "*", "operations": operations, "transports": "*", **scopes}
        wish = {"label": "t", "permissions": {"scopes": granted}}
        return str((await self.call("POST", "/api/api-keys", wish))["apiKey"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Server(tmp_path_factory.mktemp("keys") / "data", SHOP, OCTONET_OPEN_MODE="") as server:
        yield Site(server)


_TWO = 'mutation { createTag(input: {label: "one"}) { id } deleteManyTags(where: {label: {eq: "one"}}) }'


async def test_a_document_of_which_a_part_is_not_allowed_is_not_begun(site: Site) -> None:
    key = await site.key(["read", "write"])
    status, told = await ask(site.server, {"query": _TWO}, **{"X-API-Key": key})
    assert (status, told["errors"][0]["extensions"]["code"]) == (403, "FORBIDDEN")
    assert "data" not in told
    assert (await ask(site.server, {"query": "{ tagCount }"}, **{"X-API-Key": key}))[1] == {"data": {"tagCount": 0}}


async def test_who_may_only_write_reads_nothing_but_what_it_wrote(site: Site) -> None:
    key = {"X-API-Key": await site.key(["write"])}
    make = 'mutation { createCustomer(input: {email: "w@x.org"}) { email %s } }'
    assert (await ask(site.server, {"query": make % ""}, **key))[0] == 200
    assert (await ask(site.server, {"query": "{ tagCount }"}, **key))[0] == 403
    status, told = await ask(site.server, {"query": make.replace("w@", "v@") % "orders { id }"}, **key)
    assert told["errors"][0]["extensions"]["code"] == "FORBIDDEN", status


async def test_nobody_learns_of_a_schema_without_a_key_for_it(site: Site) -> None:
    other = await site.key(["read"], projects=["other"])
    for headers, status in (({}, 401), ({"X-API-Key": "nonsense"}, 401), ({"X-API-Key": other}, 403)):
        for query in ("{ nobodys { id } }", "{ __schema { types { name } } }", "{"):
            found, told = await ask(site.server, {"query": query}, **headers)
            assert found == status
            assert told["errors"][0]["extensions"]["code"] in ("UNAUTHORIZED", "FORBIDDEN")


@asynccontextmanager
async def socket(server: Server, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession(headers=headers) as session:
        found = await session.ws_connect(f"{server.url}/graphql", protocols=("graphql-transport-ws",))
        async with found:
            yield found


async def until_closed(found: aiohttp.ClientWebSocketResponse) -> Any:
    """The code of the close frame."""
    while True:
        message = await asyncio.wait_for(found.receive(), 60)
        if message.type is aiohttp.WSMsgType.CLOSE:
            return message.data
        assert message.type is aiohttp.WSMsgType.TEXT, message


@pytest.mark.parametrize("way", ["header", "apiKey", "authorization", "ticket", "nothing", "nonsense"])
async def test_a_socket_is_entered_by_a_key_in_its_first_message_too(site: Site, way: str) -> None:
    key = await site.key(["read"])
    headers: dict[str, str] = {}
    params: dict[str, str] = {}
    match way:
        case "header":
            headers = {"X-API-Key": key}
        case "apiKey":
            params = {"apiKey": key}
        case "authorization":
            params = {"Authorization": f"Bearer {key}"}
        case "ticket":
            params = {"ticket": (await site.call("POST", "/api/auth/ticket"))["ticket"]}
        case "nonsense":
            params = {"apiKey": "nonsense"}
    async with socket(site.server, **headers) as found:
        await found.send_json({"type": "connection_init", "payload": params})
        if way in ("nothing", "nonsense"):
            assert await until_closed(found) == 4403
            return
        assert (await found.receive_json())["type"] == "connection_ack"
        await found.send_json({"id": "1", "type": "subscribe", "payload": {"query": "{ __typename }"}})
        assert (await found.receive_json())["payload"] == {"data": {"__typename": "Query"}}


async def test_a_revoked_key_closes_its_sockets_and_streams_at_once(site: Site) -> None:
    key = await site.key(["read"])
    body = {"query": "subscription { tagEvents { id } }"}
    accept = {"Accept": "text/event-stream", "X-API-Key": key}
    async with (
        socket(site.server, **{"X-API-Key": key}) as found,
        aiohttp.ClientSession(site.server.url) as session,
        session.post("/graphql", json=body, headers=accept) as stream,
    ):
        await found.send_json({"type": "connection_init"})
        assert (await found.receive_json())["type"] == "connection_ack"
        await found.send_json({"id": "1", "type": "subscribe", "payload": body})
        await site.call("DELETE", f"/api/api-keys/{key[:20]}")
        assert await until_closed(found) == 4403
        told = await asyncio.wait_for(stream.content.read(), 60)
        assert b"UNAUTHORIZED" in told
        assert told.endswith(b"event: complete\ndata: \n\n")
