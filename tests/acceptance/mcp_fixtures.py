"""Runs Octonet with the tools, resources and prompts in it that the conformance suite of the protocol asks for, beside
the real ones, and with every answer as a stream: `mcp_fixtures.py serve …`. The HTTP layer and the bridge are the real
ones, and so is everything that the suite does not name."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError

import transports.mcp
from octonet import cli
from transports.engine.mcp import sdk
from transports.engine.mcp.toolbox import Toolbox
from transports.engine.mcp.view import View

Told = dict[str, Any]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
IMAGE: Told = {"type": "image", "data": PNG, "mimeType": "image/png"}
STATIC = "This is the content of the static text resource."


def text(said: str) -> Told:
    return {"type": "text", "text": said}


def embedded(uri: str, kind: str, said: str) -> Told:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": said}}


CONTENT: dict[str, list[Told]] = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}],
    "test_embedded_resource": [
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        IMAGE,
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
    "test_error_handling": [text("This tool intentionally returns an error for testing")],
}
MIRRORED: Told = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "verbose": {"type": "boolean", "x-mcp-header": "Verbose"},
    },
}
DIALECT: Told = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
TRIGGERED: list[str] = []
"""How often the list of tools was said to have changed."""
SCHEMAS: dict[str, Told] = {"test_mirrored_arguments": MIRRORED, "json_schema_2020_12_tool": DIALECT}
TOOLS = [
    *CONTENT,
    "test_tool_with_progress",
    "test_missing_capability",
    "test_logging_tool",
    "test_trigger_tool_change",
    *SCHEMAS,
]
PROMPTS: dict[str, list[str]] = {
    "test_simple_prompt": [],
    "test_prompt_with_arguments": ["arg1", "arg2"],
    "test_prompt_with_embedded_resource": ["resourceUri"],
    "test_prompt_with_image": [],
}


async def list_tools(context: sdk.Context, found: Told) -> None:
    for name in TOOLS:
        schema = SCHEMAS.get(name, {"type": "object"})
        found["tools"].append({"name": name, "description": "For the suite.", "inputSchema": schema})


async def call_tool(context: sdk.Context, params: types.CallToolRequestParams) -> Told | None:
    name = params.name
    if name not in TOOLS:
        return None
    if name == "test_missing_capability":
        meta = (context.params or {}).get("_meta", {})
        if "sampling" not in meta.get("io.modelcontextprotocol/clientCapabilities", {}):
            needed: Told = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "sampling is needed", needed)
    if name == "test_tool_with_progress":
        for reached in (0, 50, 100):
            await context.session.report_progress(reached, 100)
            await anyio.sleep(0.05)
    if name == "test_trigger_tool_change":
        TRIGGERED.append(name)
    failed = name == "test_error_handling"
    return {"resultType": "complete", "content": CONTENT.get(name, [text("done")]), "isError": failed}


async def list_resources(context: sdk.Context, found: Told) -> None:
    found["resources"].append({"name": "text", "uri": "test://static-text", "mimeType": "text/plain"})
    found["resources"].append({"name": "binary", "uri": "test://static-binary", "mimeType": "image/png"})


async def read_resource(context: sdk.Context, params: types.ReadResourceRequestParams) -> Told | None:
    uri = str(params.uri)
    match uri.removeprefix("test://").split("/"):
        case ["static-text"]:
            told = {"mimeType": "text/plain", "text": STATIC}
        case ["static-binary"]:
            told = {"mimeType": "image/png", "blob": PNG}
        case ["template", id, "data"]:
            told = {
                "mimeType": "application/json",
                "text": f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}',
            }
        case _:
            return None
    return {"resultType": "complete", "contents": [{"uri": uri, **told}]}


async def list_prompts(context: sdk.Context, found: Told) -> None:
    for name, arguments in PROMPTS.items():
        told = [{"name": argument, "description": "Some text.", "required": True} for argument in arguments]
        found["prompts"].append({"name": name, "description": "For the suite.", "arguments": told})


async def get_prompt(context: sdk.Context, params: types.GetPromptRequestParams) -> Told | None:
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            said = [text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            said = [text(f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'")]
        case "test_prompt_with_embedded_resource":
            content = embedded(str(given.get("resourceUri")), "text/plain", "Embedded resource content for testing.")
            said = [content, text("Please process the embedded resource above.")]
        case "test_prompt_with_image":
            said = [IMAGE, text("Please analyze the image above.")]
        case _:
            return None
    return {"resultType": "complete", "messages": [{"role": "user", "content": content} for content in said]}


async def complete(context: sdk.Context, params: types.CompleteRequestParams) -> Told | None:
    if not isinstance(params.ref, types.PromptReference) or params.ref.name not in PROMPTS:
        return None
    values = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
    return {"resultType": "complete", "completion": {"values": values, "total": len(values), "hasMore": False}}


def furnished(plain: Callable[..., Server[Any]], *arguments: Any) -> Server[Any]:
    """The product's server, with the suite's things in front of its own."""
    server = plain(*arguments)

    def ahead(method: str, fixture: Callable[[sdk.Context, Any], Awaitable[Told | None]]) -> None:
        entry = server.get_request_handler(method)
        assert entry is not None

        async def handle(context: sdk.Context, params: Any) -> Any:
            return await fixture(context, params) or await entry.handler(context, params)

        server.add_request_handler(method, entry.params_type, handle)

    def behind(method: str, fixture: Callable[[sdk.Context, Told], Awaitable[None]]) -> None:
        entry = server.get_request_handler(method)
        assert entry is not None

        async def handle(context: sdk.Context, params: Any) -> Any:
            found = await entry.handler(context, params)
            assert isinstance(found, dict)
            await fixture(context, found)
            return found

        server.add_request_handler(method, entry.params_type, handle)

    behind("tools/list", list_tools)
    behind("resources/list", list_resources)
    behind("prompts/list", list_prompts)
    ahead("tools/call", call_tool)
    ahead("resources/read", read_resource)
    ahead("prompts/get", get_prompt)
    ahead("completion/complete", complete)
    server.get_tool_input_schema = SCHEMAS.get
    return server


def version(plain: Callable[[Toolbox, View], str], toolbox: Toolbox, view: View) -> str:
    return plain(toolbox, view) + " ".join(TRIGGERED)


def streaming(*arguments: Any, **settings: Any) -> StreamableHTTPSessionManager:
    return StreamableHTTPSessionManager(*arguments, **{**settings, "json_response": False})


if __name__ == "__main__":
    sdk.make = partial(furnished, sdk.make)
    sdk.StreamableHTTPSessionManager = streaming  # type: ignore[attr-defined,assignment]
    plain = Toolbox.version
    setattr(Toolbox, "version", lambda toolbox, view: version(plain, toolbox, view))  # noqa: B010
    transports.mcp.wants_stream = lambda headers: True  # type: ignore[attr-defined]
    sys.exit(cli.main(sys.argv[1:]))
