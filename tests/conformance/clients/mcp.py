"""Speaks MCP: each operation by the tool of its entity, through the official client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.conformance.clients import Call, Json, NotLetIn, Place


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    refused: list[int] = []

    async def look(response: httpx2.Response) -> None:
        if response.status_code in (401, 403):
            refused.append(response.status_code)

    ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def hold() -> None:
        # Entered and left by one and the same task, as the client's task groups want it: a fixture is not.
        headers = {"X-API-Key": key} if key else None
        http = httpx2.AsyncClient(headers=headers, event_hooks={"response": [look]}, timeout=90)
        async with http, Client(streamable_http_client(f"{place.url}/mcp", http_client=http)) as client:
            ready.set_result(client)
            await over.wait()

    holding = asyncio.create_task(hold())
    await asyncio.wait((holding, ready), return_when=asyncio.FIRST_COMPLETED)
    if not ready.done() and refused:
        await asyncio.wait((holding,))
        assert holding.exception() is not None
        raise NotLetIn(refused[0])
    client = ready.result() if ready.done() else await _failed(holding)
    try:
        yield lambda request: _call(client, request) if _sendable(request) else _plainly(place.url, key, request)
    finally:
        over.set()
        await holding


def _sendable(request: dict[str, Json]) -> bool:
    """The client cannot write half of a surrogate pair, and gives up its connection over it."""
    try:
        json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


async def _plainly(url: str, key: str, request: dict[str, Json]) -> tuple[str, Json]:
    members = dict(request)
    params = {"name": f"{members.pop('entity')}_{members.pop('op')}", "arguments": members}
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "X-API-Key": key}
    async with httpx2.AsyncClient(headers=headers) as http:
        told = (await http.post(f"{url}/mcp", content=message)).json()["error"]
    error = {**told["data"], "message": told["message"]}
    return error["code"], {"status": "error", "error": error}


async def _failed(holding: asyncio.Task[None]) -> Client:
    await holding
    raise AssertionError("the client left by itself")


async def _call(client: Client, request: dict[str, Json]) -> tuple[str, Json]:
    members = dict(request)
    name = f"{members.pop('entity')}_{members.pop('op')}"
    try:
        result = await client.call_tool(name, members)
    except MCPError as problem:
        error = {**(problem.data or {}), "message": problem.message}
        return error["code"], {"status": "error", "error": error}
    told = result.structured_content
    assert isinstance(told, dict)
    return ("ok" if told["status"] == "ok" else told["error"]["code"]), told
