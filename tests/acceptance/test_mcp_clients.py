"""Other people's clients list and call every tool, by every way there is to connect."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client, StdioServerParameters

from commands import COMMANDS
from projections import QUERIES
from tests import peers
from tests.acceptance.mcp_shop import CALLS
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
OPERATIONS = {**QUERIES, **COMMANDS}
Json = Any
Ask = Callable[[str, Json], Awaitable[Json]]
"""Takes `list` or the name of a tool with its arguments; gives what the client shows of the answer."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("clients") / "data", SHOP) as found:
        yield found
    assert "Traceback" not in found.log()


@asynccontextmanager
async def python(server: Server, mode: str) -> AsyncIterator[Ask]:
    async with of_client(Client(f"{server.url}/mcp", mode=mode)) as ask:
        yield ask


@asynccontextmanager
async def stdio(server: Server, mode: str) -> AsyncIterator[Ask]:
    command, *arguments = server.command("mcp")
    parameters = StdioServerParameters(command=command, args=arguments, env=server.environment())
    async with of_client(Client(parameters, mode=mode)) as ask:
        yield ask


@asynccontextmanager
async def of_client(made: Client) -> AsyncIterator[Ask]:
    async with made as client:

        async def ask(tool: str, arguments: Json) -> Json:
            if tool == "list":
                return (await client.list_tools()).model_dump(by_alias=True, exclude_none=True)["tools"]
            return (await client.call_tool(tool, arguments)).model_dump(by_alias=True)

        yield ask


@asynccontextmanager
async def node(server: Server, which: str) -> AsyncIterator[Ask]:
    async with peers.started("mcp.mjs", which, f"{server.url}/mcp") as peer:

        async def ask(tool: str, arguments: Json) -> Json:
            if tool == "list":
                return await peer.ask({"method": "listAllTools"})
            return await peer.ask({"method": "callTool", "params": {"name": tool, "arguments": arguments}})

        yield ask


@asynccontextmanager
async def inspector(server: Server, _: str) -> AsyncIterator[Ask]:
    async def ask(tool: str, arguments: Json) -> Json:
        given = [f"{name}={json.dumps(value)}" for name, value in arguments.items()]
        chosen = ["--tool-name", tool, *(word for one in given for word in ("--tool-arg", one))]
        method = ["--method", "tools/list"] if tool == "list" else ["--method", "tools/call", *chosen]
        done = peers.run(INSPECTOR, "--cli", f"{server.url}/mcp", "--transport", "http", *method)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        return found["tools"] if tool == "list" else found

    yield ask


@pytest.mark.parametrize(
    ("connected", "how"),
    [
        (python, "2026-07-28"), (python, "legacy"), (stdio, "auto"), (stdio, "legacy"), (node, "sdk"),
        (node, "client"), (node, "client-modern"), (inspector, ""),
    ],
)  # fmt: skip
async def test_every_tool_is_listed_and_can_be_called(server: Server, connected: Any, how: str) -> None:
    assert {op for op, _, _ in CALLS} == set(OPERATIONS)
    async with connected(server, how) as ask:
        tools = {tool["name"]: tool for tool in await ask("list", {})}
        assert {f"Customer_{op}" for op in OPERATIONS} <= tools.keys()
        for op, arguments, piece in CALLS:
            told = await ask(f"Customer_{op}", arguments)
            assert not told.get("isError"), (op, told)
            assert piece in told["content"][0]["text"], (op, told)
            assert told["structuredContent"]["status"] == "ok"
            Draft202012Validator(tools[f"Customer_{op}"]["outputSchema"]).validate(told["structuredContent"])
            Draft202012Validator(tools[f"Customer_{op}"]["inputSchema"]).validate(arguments)


async def test_a_modern_client_of_typescript_speaks_the_modern_revision(server: Server) -> None:
    for which, revision in (("client-modern", "2026-07-28"), ("client", "2025-11-25")):
        async with peers.started("mcp.mjs", which, f"{server.url}/mcp") as peer:
            assert await peer.ask({"method": "version"}) == revision


async def test_typescript_reads_resources_prompts_and_completions(server: Server) -> None:
    async with peers.started("mcp.mjs", "client-modern", f"{server.url}/mcp") as peer:
        listed = await peer.ask({"method": "listResources"})
        assert {"entity://Customer/schema", "entity://Tag/schema"} <= {one["uri"] for one in listed["resources"]}
        read = await peer.ask({"method": "readResource", "params": {"uri": "entity://Customer/schema"}})
        assert json.loads(read["contents"][0]["text"])["collection"] == "customers"
        prompts = await peer.ask({"method": "listPrompts"})
        assert [one["name"] for one in prompts["prompts"]] == [
            "describe-schema", "suggest-query", "explain-data", "list-entities",
        ]  # fmt: skip
        wish = {"name": "suggest-query", "arguments": {"entity": "Customer", "goal": "the busiest"}}
        told = await peer.ask({"method": "getPrompt", "params": wish})
        assert [message["role"] for message in told["messages"]] == ["user"]
        assert "the busiest" in told["messages"][0]["content"]["text"]
        begun = {"ref": {"type": "ref/prompt", "name": "suggest-query"}, "argument": {"name": "entity", "value": "cu"}}
        completed = await peer.ask({"method": "complete", "params": begun})
        assert completed["completion"]["values"] == ["Customer"]


def test_the_program_ends_with_its_input_and_says_nothing_but_answers(server: Server, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}), "nonsense", "", "[1]",
        json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "Tag_count"}}),
    ]  # fmt: skip
    for text, ids in (("", []), ("\n".join(lines), [None, None, 1, 2])):
        asked.write_text(text)
        with asked.open() as given:
            done = subprocess.run(
                server.command("mcp"), stdin=given, env=server.environment(), cwd=ROOT, capture_output=True, timeout=60,
                check=False,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert sorted((one["id"] for one in answers), key=str) == sorted(ids, key=str)
    assert (
        subprocess.run(
            server.command("mcp"), stdin=subprocess.DEVNULL, env=server.environment(), cwd=ROOT, timeout=60, check=False
        ).returncode
        == 0
    )
