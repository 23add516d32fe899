"""What tools, resources and prompts mean, for whoever connects to a project."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.shared.inbound import encode_header_value
from mcp.shared.subscriptions import ResourceUpdated, ToolsListChanged

from commands import COMMANDS
from projections import QUERIES
from tests.acceptance.mcp_shop import CALLS
from tests.acceptance.mcp_wire import BOTH, LEGACY, MODERN, Wire, headers, message
from tests.running import Server

SHOP = Path(__file__).parent / "shop.json"
OPERATIONS = {**QUERIES, **COMMANDS}
ONE = {"name": "Item", "collection": "items", "fields": {"name": {"type": "string"}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("mcp")
    tree = folder / "tree.json"
    tree.write_text(json.dumps({"other": {"schemas": json.loads(SHOP.read_text())}, "small-one": {"schemas": [ONE]}}))
    with Server(folder / "data", SHOP, MOSTA_PROJECTS=str(tree)) as found:
        yield found
    assert "Traceback" not in found.log()


@pytest.fixture
def wire(server: Server) -> Wire:
    return Wire(server.url)


async def every(wire: Wire, path: str = "/mcp", revision: str = MODERN) -> list[Any]:
    """All pages of the tools."""
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await wire.result("tools/list", cursor, revision, path=path)
        found += page["tools"]
        if "nextCursor" not in page:
            return found
        cursor = {"cursor": page["nextCursor"]}


async def test_a_project_has_fifteen_tools_for_each_entity_and_the_default_one_those_of_all(wire: Wire) -> None:
    mine = {tool["name"] for tool in await every(wire, "/small-one/mcp")}
    assert mine == {f"Item_{op}" for op in OPERATIONS}
    everything = [tool["name"] for tool in await every(wire)]
    assert len(everything) == len(set(everything)) == 15 * (4 + 4 + 1)
    assert {f"Customer_{op}" for op in OPERATIONS} <= set(everything)
    assert {f"other_Customer_{op}" for op in OPERATIONS} <= set(everything)
    assert {f"small-one_Item_{op}" for op in OPERATIONS} <= set(everything)
    assert everything == [tool["name"] for tool in await every(wire, revision=LEGACY)]


async def test_a_tool_of_another_project_works_there(wire: Wire) -> None:
    made = await wire.call("small-one_Item_create", {"data": {"id": "i1", "name": "bolt"}})
    assert not made["isError"]
    here = await wire.call("Item_findById", {"id": "i1"}, path="/small-one/mcp")
    assert here["structuredContent"]["data"]["name"] == "bolt"
    assert (await wire.error("tools/call", {"name": "Item_count", "arguments": {}}))[2] == "ENTITY_NOT_FOUND"
    unseen = {"name": "small-one_Item_count", "arguments": {}}
    assert (await wire.error("tools/call", unseen, path="/other/mcp"))[2] == "ENTITY_NOT_FOUND"


async def test_every_tool_says_what_it_does_takes_and_gives(wire: Wire) -> None:
    for tool in await every(wire):
        assert tool["description"]
        assert tool["title"]
        for shape in (tool["inputSchema"], tool["outputSchema"]):
            Draft202012Validator.check_schema(shape)
            assert shape["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        hints = tool["annotations"]
        op = tool["name"].rpartition("_")[2]
        assert hints["readOnlyHint"] is (op in QUERIES)
        assert hints["openWorldHint"] is False
    found = {tool["name"]: tool for tool in await every(wire)}
    assert [name for name in found if name.startswith("Tag_") and found[name]["annotations"]["destructiveHint"]] == [
        f"Tag_{op}" for op in ("delete", "deleteMany", "pull", "update", "updateMany", "upsert")
    ]
    create = found["Customer_create"]["inputSchema"]
    assert create["required"] == ["data"]
    assert create["properties"]["data"]["required"] == ["email"]
    assert create["properties"]["data"]["properties"]["visits"] == {"type": ["number", "null"]}
    where = found["Customer_findAll"]["inputSchema"]["properties"]["filter"]
    assert where["properties"]["visits"] == {"type": ["number", "object", "null"]}
    assert where["properties"].keys() & {"password", "profile"} == {"profile"}
    assert found["Customer_increment"]["inputSchema"]["properties"]["field"]["enum"] == ["visits"]
    assert found["Customer_addToSet"]["inputSchema"]["properties"]["field"]["enum"] == ["hobbies", "tags"]
    assert "password" not in found["Customer_findAll"]["outputSchema"]["properties"]["data"]["items"]["properties"]


async def test_the_references_clients_send_json_as_text_and_read_text(wire: Wire) -> None:
    made = await wire.call("Customer_create", {"data": json.dumps({"id": "r1", "email": "r@x.org"})})
    assert json.loads(made["content"][0]["text"])["email"] == "r@x.org"
    asked: list[tuple[str, dict[str, Any], str]] = [
        ("findAll", {"filter": '{"id":"r1"}', "sort": '{"email":1}', "limit": 1, "skip": 0}, ""),
        ("findOne", {"filter": '{"id":"r1"}', "relations": "tags,orders"}, ""),
        ("search", {"query": "r@x", "fields": "email", "limit": 3}, ""),
        ("aggregate", {"stages": '[{"$match":{"id":"r1"}},{"$group":{"_by":null,"n":{"$count":true}}}]'}, ""),
        ("upsert", {"filter": '{"email":"r@x.org"}', "data": '{"visits":2}'}, ""),
        ("addToSet", {"id": "r1", "field": "hobbies", "value": '"chess"'}, ""),
        ("count", {"filter": '{"id":"r1"}'}, "1"),
        ("updateMany", {"filter": '{"id":"r1"}', "data": '{"vip":true}'}, "Updated: 1"),
        ("deleteMany", {"filter": '{"id":"nobody"}'}, "Deleted: 0"),
        ("delete", {"id": "r1"}, "Deleted"),
        ("delete", {"id": "r1"}, "Not found"),
    ]
    for op, arguments, text in asked:
        told = await wire.call(f"Customer_{op}", arguments)
        assert not told["isError"], told
        said = told["content"][0]["text"]
        assert said == text if text else json.loads(said) == told["structuredContent"]["data"]
        if op == "addToSet":
            assert told["structuredContent"]["data"]["hobbies"] == ["chess"]
        if op == "findAll":
            assert said.startswith('[\n  {\n    "id": "r1"')
    missing = await wire.call("Customer_findById", {"id": "r1"})
    assert missing["isError"] is True
    assert missing["content"][0]["text"].endswith("not found")
    refused = await wire.call("Customer_create", {"data": '{"email":'})
    assert (refused["isError"], refused["structuredContent"]["error"]["code"]) == (True, "PARSE_ERROR")
    assert refused["content"][0]["text"].startswith("Error: $.data: ")


async def test_a_call_may_be_large(wire: Wire) -> None:
    await wire.call("Customer_create", {"data": {"id": "l1", "email": "l@x.org"}})
    note = "é" * 300_000
    told = await wire.call("Order_create", {"data": {"total": 1, "customer": "l1", "note": note}})
    assert told["structuredContent"]["data"]["note"] == note
    read = await wire.call("Order_findOne", {"filter": {"customer": "l1"}}, LEGACY)
    assert json.loads(read["content"][0]["text"])["note"] == note


async def test_an_element_of_a_list_is_what_was_meant(wire: Wire) -> None:
    await wire.call("Customer_create", {"data": {"id": "e1", "email": "e@x.org"}})
    for given in ("go", '"chess"', "5", "", "true"):
        told = await wire.call("Customer_addToSet", {"id": "e1", "field": "hobbies", "value": given})
    assert told["structuredContent"]["data"]["hobbies"] == ["go", "chess", "5", "", "true"]
    await wire.call("Tag_create", {"data": {"id": "t1", "label": "t"}})
    told = await wire.call("Customer_addToSet", {"id": "e1", "field": "tags", "value": '"t1"'})
    assert told["structuredContent"]["data"]["tags"] == ["t1"]


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_the_answers_that_come_quickly_are_those_of_the_sdk(wire: Wire, revision: str) -> None:
    """The same request in words that only the SDK understands: a header in capitals, a name in base64."""
    await wire.call("Customer_create", {"data": {"id": "q1", "email": "q@x.org", "profile": {"é": [None, 1.5, {}]}}})
    asked: list[tuple[str, dict[str, Any]]] = [
        ("tools/list", {}),
        *(("tools/call", {"name": f"Customer_{op}", "arguments": given}) for op, given, _ in CALLS if op in QUERIES),
        ("tools/call", {"name": "Customer_findById", "arguments": {"id": "q1"}}),
        ("tools/call", {"name": "Customer_findById", "arguments": {"id": "nobody"}}),
        ("tools/call", {"name": "Customer_findAll", "arguments": {"filter": {"é\u2028": 1}}}),
        ("tools/call", {"name": "Customer_findAll", "arguments": {"limit": -1}}),
        ("tools/call", {"name": "Customer_update", "arguments": {"id": "q1", "data": {"visits": "x"}}}),
        ("tools/call", {"name": "Customer_delete", "arguments": {"id": "nobody", "idempotencyKey": revision}}),
    ]
    for path in ("/mcp", "/small-one/mcp"):
        for method, params in asked:
            if path != "/mcp" and method == "tools/call":
                continue
            body = json.dumps(message(method, params, revision, id="é")).encode()
            plain = headers(method, params, revision)
            slow = {**plain, "Accept": BOTH.upper()}
            # The first time, a modern client is not known yet.
            quick = [await wire.raw(body, plain, path) for _ in range(2)][-1]
            by_sdk = await wire.raw(body, slow, path)
            assert json.loads(quick[2]) == json.loads(by_sdk[2])
            if method == "tools/call":
                assert ordered(quick[2]) == ordered(by_sdk[2])
            assert (quick[0], quick[1]["Content-Type"]) == (by_sdk[0], by_sdk[1]["Content-Type"]) == (
                200, "application/json",
            )  # fmt: skip
            if revision == LEGACY:
                assert quick[2] == by_sdk[2]
    if revision == MODERN:
        params = {"name": "Customer_count", "arguments": {}}
        told = {**headers("tools/call", params, revision), "Mcp-Name": "=?base64?Q3VzdG9tZXJfY291bnQ=?="}
        assert encode_header_value("é").startswith("=?base64?")
        status, _, _ = await wire.raw(json.dumps(message("tools/call", params, revision)).encode(), told)
        assert status == 200


def ordered(body: bytes) -> Any:
    """JSON with its members in order."""
    return json.loads(body, object_pairs_hook=lambda pairs: pairs)


async def test_resources_are_schemas_and_rows(wire: Wire) -> None:
    await wire.call("Note_create", {"data": {"id": "n 1", "slug": "n"}})
    listed = await wire.result("resources/list")
    assert (listed["cacheScope"], listed["resources"][0]["name"]) == ("private", "Tag Schema")
    templates = await wire.result("resources/templates/list")
    assert [one["uriTemplate"] for one in templates["resourceTemplates"]] == ["entity://{entity}/{id}"]
    declared = json.loads((await wire.result("resources/read", {"uri": "entity://Note/schema"}))["contents"][0]["text"])
    assert declared in json.loads(SHOP.read_text())
    for revision in (MODERN, LEGACY):
        row = await wire.result("resources/read", {"uri": "entity://Note/n%201"}, revision)
        assert json.loads(row["contents"][0]["text"])["slug"] == "n"
        code = -32602 if revision == MODERN else -32002
        for uri in (
            "entity://Note/nobody",
            "entity://Nothing/schema",
            "entity://Note/",
            "entity://",
            "file:///etc/passwd",
        ):
            assert (await wire.error("resources/read", {"uri": uri}, revision))[1:] == (code, "NOT_FOUND")


async def test_the_four_prompts_speak_of_the_project(wire: Wire) -> None:
    given = {"entity": "Customer", "goal": "who comes most", "data": "[]"}
    for prompt in (await wire.result("prompts/list"))["prompts"]:
        arguments = {one["name"]: given[one["name"]] for one in prompt.get("arguments", [])}
        told = await wire.result("prompts/get", {"name": prompt["name"], "arguments": arguments})
        [one] = told["messages"]
        assert (one["role"], one["content"]["type"]) == ("user", "text")
        assert "Customer" in one["content"]["text"]
    for name, arguments, code in (
        ("nothing", {}, "UNKNOWN_PROMPT"),
        ("suggest-query", {"entity": "Customer"}, "MISSING_PARAMS"),
        ("suggest-query", {"entity": "Nobody", "goal": "x"}, "ENTITY_NOT_FOUND"),
        ("list-entities", {"more": "x"}, "UNKNOWN_MEMBER"),
    ):
        found = await wire.error("prompts/get", {"name": name, "arguments": arguments})
        assert found[1:] == (-32602, code)


async def test_arguments_are_completed(wire: Wire) -> None:
    await wire.call("Tag_create", {"data": {"id": "abc", "label": "abc"}})

    async def of(ref: Any, name: str, value: str, **known: str) -> Any:
        params = {"ref": ref, "argument": {"name": name, "value": value}, "context": {"arguments": known}}
        return (await wire.result("completion/complete", params))["completion"]["values"]

    prompt, row = (
        {"type": "ref/prompt", "name": "suggest-query"},
        {"type": "ref/resource", "uri": "entity://{entity}/{id}"},
    )
    assert await of(prompt, "entity", "") == ["Tag", "Customer", "Order", "Note"]
    assert await of(prompt, "goal", "most v", entity="Customer") == ["most visits", "most vip"]
    assert await of(row, "entity", "o") == ["Order"]
    assert await of(row, "id", "ab", entity="Tag") == ["abc"]
    assert await of(row, "id", "ab", entity="Nothing") == []


async def test_a_key_for_one_effect_counts_on_this_door_and_others(server: Server, wire: Wire) -> None:
    data = {"email": "once@x.org"}
    async with aiohttp.ClientSession(server.url) as session:
        headers = {"Idempotency-Key": "mcp-once"}
        async with session.post("/api/v1/Customer", json=data, headers=headers) as reply:
            first = (await reply.json())["data"]["id"]
    for arguments, more in (
        ({"data": data, "idempotencyKey": "mcp-once"}, {}),
        ({"data": data}, {"_meta": {"octonet/idempotencyKey": "mcp-once"}}),
    ):
        params = {"name": "Customer_create", "arguments": arguments, **more}
        told = (await wire.result("tools/call", params))["structuredContent"]
        assert told["data"]["id"] == first
        assert told["position"]
        assert told["version"] == 1
    told = await wire.call("Customer_create", {"data": data}, Idempotency_Key="mcp-once")
    assert told["structuredContent"]["data"]["id"] == first
    other = await wire.call("Customer_create", {"data": {"email": "x@x.org"}, "idempotencyKey": "mcp-once"})
    assert other["structuredContent"]["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_whoever_listens_hears_of_new_tools_and_of_the_row_they_watch(server: Server, wire: Wire) -> None:
    await wire.call("Item_create", {"data": {"id": "w1", "name": "a"}}, path="/small-one/mcp")
    async with (
        Client(f"{server.url}/small-one/mcp", mode=MODERN) as client,
        client.listen(tools_list_changed=True, resource_subscriptions=["entity://Item/w1"]) as heard,
    ):
        for id in ("w2", "w1"):
            await wire.call("Item_upsert", {"filter": {"id": id}, "data": {"name": "b"}}, path="/small-one/mcp")
        assert await asyncio.wait_for(anext(aiter(heard)), 60) == ResourceUpdated("entity://Item/w1")
        added = {"name": "Part", "collection": "parts", "fields": {"name": {"type": "string"}}}
        async with (
            aiohttp.ClientSession(server.url) as session,
            session.post("/small-one/api/upload-schemas-json", json={"schemas": [added]}) as reply,
        ):
            assert reply.status == 200, await reply.text()
        # The rows of a project that was changed may be others.
        told = {await asyncio.wait_for(anext(aiter(heard)), 60) for _ in range(2)}
        assert told == {ToolsListChanged(), ResourceUpdated("entity://Item/w1")}
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert "Part_create" in names


async def test_a_stop_ends_what_is_listened_to_and_says_so(tmp_path: Path) -> None:
    params: Any = {"notifications": {"toolsListChanged": True}}
    told = headers("subscriptions/listen", params, MODERN)
    body = json.dumps(message("subscriptions/listen", params, MODERN, id="ear")).encode()
    with Server(tmp_path / "data", SHOP) as server:
        async with aiohttp.ClientSession(server.url) as session, session.post("/mcp", data=body, headers=told) as reply:
            assert b"acknowledged" in await reply.content.readuntil(b"\r\n\r\n")
            assert await asyncio.to_thread(server.stop) == 0
            last = await reply.content.read()
    ended = json.loads(last.partition(b"data: ")[2])
    assert (ended["id"], ended["result"]["resultType"]) == ("ear", "complete")
    assert "Traceback" not in server.log()


async def test_pages_call_tools_as_plain_json(server: Server) -> None:
    async with aiohttp.ClientSession(server.url) as session:

        async def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            async with session.request(method, f"/small-one/api/mcp-agent{path}", json=body) as reply:
                return reply.status, await reply.json()

        assert (await ask("GET", "/info"))[1]["name"] == "OctoNet MCP"
        tools = {tool["name"]: tool for tool in (await ask("GET", "/tools"))[1]}
        assert tools["Item_create"].keys() == {"name", "description", "entity", "operation", "fields"}
        assert (tools["Item_create"]["entity"], tools["Item_create"]["operation"]) == ("Item", "create")
        assert "describe-schema" in {one["name"] for one in (await ask("GET", "/prompts"))[1]}
        made = await ask("POST", "/call", {"tool": "Item_create", "params": {"data": '{"id":"p1","name":"nut"}'}})
        assert (made[0], made[1]["data"]["name"]) == (200, "nut")
        found = await ask("POST", "/call", {"tool": "Item_findAll", "params": '{"filter":{"id":"p1"},"limit":0}'})
        assert [row["id"] for row in found[1]["data"]] == ["p1"]
        for body, status, code in (
            ({}, 400, "MISSING_TOOL"),
            ({"tool": "Item_nothing"}, 404, "UNKNOWN_TOOL"),
            ({"tool": "Item_count", "more": 1}, 400, "UNKNOWN_MEMBER"),
            ({"tool": "Item_count", "params": {"nope": 1}}, 400, "UNKNOWN_MEMBER"),
            ({"tool": "Item_count", "params": "["}, 400, "PARSE_ERROR"),
            ({"tool": "Item_findById"}, 400, "MISSING_ID"),
        ):
            refused = await ask("POST", "/call", body)
            assert (refused[0], refused[1]["error"]["code"]) == (status, code)
        for method, path, status in (("POST", "/info", 405), ("GET", "/call", 405), ("GET", "/x", 404)):
            assert (await ask(method, path))[0] == status
