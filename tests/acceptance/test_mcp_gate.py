"""Who may do what at the MCP door, from where, and who is told that there is something."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client, MCPError, StdioServerParameters

from commands import COMMANDS
from octonet.kernel.operation import Family
from projections import QUERIES
from tests.acceptance.mcp_wire import LEGACY, MODERN, Wire, headers, message
from tests.acceptance.office import Office, chief, staffed
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
OPERATIONS = {**QUERIES, **COMMANDS}
ONE = {"name": "Item", "collection": "items", "fields": {"name": {"type": "string"}}}
ALLOWED = "https://pages.example"
PUBLIC = "https://octonet.example"
READS = {op for op, operation in OPERATIONS.items() if operation.family is Family.READ}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gate")
    tree = folder / "tree.json"
    tree.write_text(json.dumps({"one": {"schemas": [ONE]}, "two": {"schemas": [ONE]}}))
    more = {"MOSTA_PROJECTS": str(tree), "MOSTA_NET_CORS_ORIGIN": ALLOWED, "OCTONET_PUBLIC_URL": PUBLIC}
    with staffed(folder / "data", **more) as found:
        yield found
    assert "Traceback" not in found.log()


@pytest.fixture
async def office(server: Server) -> Office:
    return await chief(server)


async def tools(wire: Wire, path: str = "/mcp", revision: str = MODERN) -> set[str]:
    """Names on the first page."""
    return {tool["name"] for tool in (await wire.result("tools/list", {}, revision, path=path))["tools"]}


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_a_key_is_told_of_what_it_may_use_and_of_nothing_else(office: Office, revision: str) -> None:
    url = office.server.url
    reader = Wire(url, await office.key(projects=["one"], operations=["read"]))
    writer = Wire(url, await office.key(projects=["one"], operations=["write"]))
    both = Wire(url, await office.key(projects=["one", "two", "default"], operations=["admin"]))
    assert await tools(reader, "/one/mcp", revision) == {f"Item_{op}" for op in READS}
    assert await tools(writer, "/one/mcp", revision) == {
        f"Item_{op}" for op, operation in OPERATIONS.items() if operation.family is Family.WRITE
    }
    assert await tools(both, "/mcp", revision) == {
        "Tag_deleteMany", "Customer_deleteMany", "Order_deleteMany", "Note_deleteMany", "one_Item_deleteMany",
        "two_Item_deleteMany",
    }  # fmt: skip
    refused = await reader.call("Item_create", {"data": {}}, revision, path="/one/mcp")
    assert (refused["isError"], refused["structuredContent"]["error"]["code"]) == (True, "FORBIDDEN")
    assert (await reader.ask("tools/list", {}, revision, path="/two/mcp"))[0] == 403
    assert (await reader.ask("tools/list", {}, revision, path="/mcp"))[0] == 403
    # What is there and what is not looks the same from where it cannot be seen.
    for project in ("two", "three"):
        params = {"name": f"{project}_Item_count", "arguments": {}}
        narrow = Wire(url, await office.key(projects=["default"]))
        assert await narrow.error("tools/call", params, revision) == (
            400 if revision == MODERN else 200, -32602, "ENTITY_NOT_FOUND",
        )  # fmt: skip
    assert (await writer.result("resources/list", {}, revision, path="/one/mcp"))["resources"] == []
    assert (await writer.error("resources/read", {"uri": "entity://Item/schema"}, revision, path="/one/mcp"))[2] == (
        "FORBIDDEN"
    )


async def test_a_cursor_of_one_key_is_not_another_ones(office: Office) -> None:
    url = office.server.url
    wide, narrow = Wire(url, await office.key()), Wire(url, await office.key(operations=["read", "write"]))
    first = await wide.result("tools/list")
    assert len(first["tools"]) == 75 + 15
    assert "nextCursor" not in first
    for cursor in ("", "x", "AAAA", "é", "MTAw" * 40):
        assert (await narrow.error("tools/list", {"cursor": cursor}))[1:] == (-32602, "INVALID_CURSOR")


async def test_whoever_shows_no_key_may_do_what_the_public_one_may_until_it_is_disabled(office: Office) -> None:
    server = office.server
    wire = Wire(server.url)
    assert await tools(wire) == {f"{entity}_{op}" for entity in ("Tag", "Customer", "Order", "Note") for op in READS}
    for revision in (MODERN, LEGACY):
        assert not (await wire.call("Customer_count", {}, revision))["isError"]
        refused = await wire.call("Customer_create", {"data": {"email": "x@x.org"}}, revision)
        assert (refused["isError"], refused["structuredContent"]["error"]["code"]) == (True, "FORBIDDEN")
    async with Client(f"{server.url}/mcp") as client:
        assert (await client.call_tool("Tag_count", {})).content[0].text == "0"  # type: ignore[union-attr]
    for path in ("/one/mcp", "/one/api/mcp-agent/tools"):
        async with aiohttp.ClientSession() as session, session.get(server.url + path) as reply:
            assert reply.status == 401
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    # Nobody else's key becomes the public one by its label.
    account = await office.account()
    await office.done("POST", "/api/api-keys", {
        "label": "public-default", "account": account,
        "permissions": {"projects": "*", "operations": "*", "transports": "*"},
    })  # fmt: skip
    assert (await wire.ask("tools/list", path="/one/mcp"))[0] == 401
    keys = await office.done("GET", "/api/api-keys")
    [public] = [key for key in keys if key["label"] == "public-default" and key["account"] == "public-system"]
    await office.done("PUT", f"/api/api-keys/{public['prefix']}", {"enabled": False})
    status, told = await wire.ask("tools/list")
    assert (status, told["error"]["data"]["code"], told["id"]) == (401, "UNAUTHORIZED", None)
    await office.done("PUT", f"/api/api-keys/{public['prefix']}", {"enabled": True})
    assert (await wire.ask("tools/list"))[0] == 200


async def test_a_wrong_key_is_not_taken_for_none(server: Server) -> None:
    for told in (
        {"X-API-Key": "sk_live_nonsense"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic eA=="},
    ):
        for path in ("/mcp", "/api/mcp-agent/call"):
            status, answered, body = await Wire(server.url).raw(b"{}", told, path)
            assert status == 401
            assert answered["WWW-Authenticate"].startswith("Bearer")
            assert b"UNAUTHORIZED" in body


async def test_a_revoked_key_ends_what_it_listens_to(office: Office) -> None:
    key = await office.key(projects=["one"], operations=["read"])
    params: Any = {"notifications": {"toolsListChanged": True}}
    told = {**headers("subscriptions/listen", params, MODERN), "X-API-Key": key}
    body = json.dumps(message("subscriptions/listen", params, MODERN)).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{office.server.url}/one/mcp", data=body, headers=told) as reply,
    ):
        assert reply.headers["Content-Type"] == "text/event-stream"
        assert b"acknowledged" in await reply.content.readuntil(b"\r\n\r\n")
        await office.done("DELETE", f"/api/api-keys/{key[:20]}")
        rest = await reply.content.read()
    assert b'"result"' in rest


async def test_who_shows_no_key_cannot_keep_others_from_listening(server: Server, office: Office) -> None:
    params: Any = {"notifications": {"toolsListChanged": True}}
    body = json.dumps(message("subscriptions/listen", params, MODERN)).encode()
    told = headers("subscriptions/listen", params, MODERN)
    key = {"X-API-Key": await office.key()}
    async with (
        AsyncExitStack() as stack,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):

        async def kind(**more: str) -> str:
            wish = session.post(f"{server.url}/mcp", data=body, headers={**told, **more})
            reply = await stack.enter_async_context(wish)
            if reply.content_type == "application/json":
                return str((await reply.json())["error"]["data"]["code"])
            await reply.content.readuntil(b"\r\n\r\n")
            return reply.content_type

        assert {await kind() for _ in range(100)} == {"text/event-stream"}
        assert await kind() == "LIMIT_REACHED"
        assert await kind(**key) == "text/event-stream"


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        (None, "", 200), (ALLOWED, "", 200), (PUBLIC, "octonet.example", 200), ("same", "", 200),
        ("https://evil.example", "", 403), ("null", "", 403), ("http://[::1", "", 403),
        # The page's own name, bound to this machine's address.
        ("http://evil.example:1", "evil.example:1", 403), (PUBLIC + ".evil.example", "", 403),
    ],
)  # fmt: skip
async def test_only_pages_of_known_origins_may_call(server: Server, origin: str | None, host: str, status: int) -> None:
    url = server.url
    told = headers("tools/list", {}, MODERN)
    if origin is not None:
        told["Origin"] = url if origin == "same" else origin
    if host:
        told["Host"] = host
    for method, path in (("POST", "/mcp"), ("GET", "/api/mcp-agent/info")):
        body = json.dumps(message("tools/list", {}, MODERN)).encode() if method == "POST" else b""
        found, answered, _ = await Wire(url).raw(body, told, path, method)
        assert found == status
        assert (answered.get("Access-Control-Allow-Origin") == ALLOWED) is (origin == ALLOWED)


async def test_a_page_may_send_what_the_protocol_wants(server: Server) -> None:
    asked = {"Origin": ALLOWED, "Access-Control-Request-Method": "POST"}
    status, told, _ = await Wire(server.url).raw(b"", asked, method="OPTIONS")
    assert status == 204
    allowed = {name.strip().lower() for name in told["Access-Control-Allow-Headers"].split(",")}
    assert {name.lower() for name in headers("tools/call", {"name": "x"}, MODERN)} | {"x-api-key"} <= allowed


async def test_a_limit_of_a_key_counts_here_too(office: Office) -> None:
    permissions = {"projects": "*", "operations": "*", "transports": ["mcp"], "rateLimit": 3}
    made = await office.done("POST", "/api/api-keys", {"label": "few", "permissions": permissions})
    wire = Wire(office.server.url, made["apiKey"])
    body = json.dumps(message("tools/call", {"name": "Tag_count", "arguments": {}}, LEGACY)).encode()
    told = headers("tools/call", {}, LEGACY)
    for left in (2, 1, 0):
        status, answered, _ = await wire.raw(body, told)
        assert status == 200
        assert f"r={left};" in answered["RateLimit"]
    refused = await wire.call("Tag_count", {}, LEGACY)
    assert refused["structuredContent"]["error"]["code"] == "DAILY_LIMIT_REACHED"
    assert (await wire.error("tools/list", {}, MODERN))[1:] == (-32000, "DAILY_LIMIT_REACHED")


async def test_whoever_starts_the_program_shows_a_key_to_be_held_to_it(server: Server, office: Office) -> None:
    key = await office.key(projects=["one"], operations=["read"])

    def started(*arguments: str) -> Client:
        command, *rest = server.command("mcp", *arguments)
        return Client(StdioServerParameters(command=command, args=rest, env=server.environment()))

    async with started("--project", "one", "--key", key) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {f"Item_{op}" for op in READS}
        assert (await client.call_tool("Item_create", {"data": {}})).is_error
    async with started("--project", "one") as client:
        assert not (await client.call_tool("Item_create", {"data": {}})).is_error
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("Customer_count", {})
    for arguments in (("--key", key), ("--key", "nonsense", "--project", "one")):
        assert server.launch("mcp", *arguments).reap() == 1
