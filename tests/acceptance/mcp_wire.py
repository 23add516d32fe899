"""MCP as it goes over the wire, for what no client library would send."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import aiohttp

MODERN, LEGACY = "2026-07-28", "2025-11-25"
RESERVED = "io.modelcontextprotocol/"
ENVELOPE = {
    f"{RESERVED}protocolVersion": MODERN,
    f"{RESERVED}clientCapabilities": {},
    f"{RESERVED}clientInfo": {"name": "wire", "version": "1"},
}
BOTH = "application/json, text/event-stream"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def headers(method: str, params: Any, revision: str) -> dict[str, str]:
    """What goes before a request."""
    told = {"Content-Type": "application/json", "Accept": BOTH, "MCP-Protocol-Version": revision}
    if revision == MODERN:
        told["Mcp-Method"] = method
        if method in NAMED:
            told["Mcp-Name"] = params[NAMED[method]]
    return told


def message(method: str, params: Any, revision: str, id: Any = 1) -> dict[str, Any]:
    """A request."""
    meta = {"_meta": {**ENVELOPE, **params.get("_meta", {})}} if revision == MODERN else {}
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": {**params, **meta}}


class Wire:
    """Requests to one server."""

    def __init__(self, url: str, key: str = "") -> None:
        self._url = url
        self._key = {"X-API-Key": key} if key else {}

    async def raw(
        self, body: bytes, told: dict[str, str], path: str = "/mcp", method: str = "POST"
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to any body."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self._url + path, data=BytesIO(body), headers={**self._key, **told}) as reply,
        ):
            return reply.status, dict(reply.headers), await reply.read()

    async def ask(
        self, method: str, params: Any = None, revision: str = MODERN, path: str = "/mcp", **more: str
    ) -> tuple[int, Any]:
        """Status and body of the answer to a request."""
        told = {
            **headers(method, params or {}, revision),
            **{name.replace("_", "-"): text for name, text in more.items()},
        }
        body = json.dumps(message(method, params or {}, revision)).encode()
        status, _, answer = await self.raw(body, told, path)
        return status, json.loads(answer)

    async def error(self, method: str, params: Any = None, revision: str = MODERN, **more: str) -> tuple[int, int, str]:
        """HTTP status, JSON-RPC code and our code of an answer that must be an error."""
        status, told = await self.ask(method, params, revision, **more)
        assert "error" in told, told
        data = told["error"].get("data")
        return status, told["error"]["code"], data.get("code", "") if isinstance(data, dict) else ""

    async def result(self, method: str, params: Any = None, revision: str = MODERN, **more: Any) -> Any:
        """The result of a request that must succeed."""
        status, told = await self.ask(method, params, revision, **more)
        assert status == 200, told
        assert "result" in told, told
        return told["result"]

    async def call(self, tool: str, arguments: Any = None, revision: str = MODERN, **more: Any) -> Any:
        """The result of a tool."""
        return await self.result("tools/call", {"name": tool, "arguments": arguments or {}}, revision, **more)
