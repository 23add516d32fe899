"""The protocol as the official SDK speaks it, both revisions of it. Heavy: imported when it is first needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import mcp_types as types
import msgspec
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError

from octonet import __version__
from octonet.kernel.errors import Invalid, NotFound, OctonetError
from octonet.kernel.operation import Raw
from transports.engine.mcp import call, completion, cursors, identity, prompts, resources, rpc
from transports.engine.mcp.bridge import STATE, Application
from transports.engine.mcp.listening import Listening
from transports.engine.mcp.toolbox import Toolbox
from transports.engine.mcp.visit import Visit

Context: TypeAlias = ServerRequestContext[Any, Any]
Told: TypeAlias = dict[str, Any]
_COMPLETE: Final[Mapping[str, str]] = {"resultType": "complete"}
"""Said in the modern revision, dropped in earlier ones."""
_LARGEST: Final = 2**40
"""Bytes of a body: it is the host that limits them."""
_RESOURCE_NOT_FOUND: Final = -32002
"""Until the revision of 2026, which knows no code of its own for it."""


def of_request(context: Context) -> Visit:
    """Who sent an HTTP request, and what with it."""
    assert context.request is not None
    visit = context.request.scope[STATE]
    assert isinstance(visit, Visit)
    return visit


class Sdk:
    """A server of the SDK, and its ASGI application from `open` on."""

    def __init__(self, toolbox: Toolbox) -> None:
        # A server for each request is what would cost most: it is made once, and so is all that it lists.
        # It tells of every request of the earlier revision.
        logging.getLogger("mcp").setLevel(logging.WARNING)
        self._listening = Listening(toolbox)
        self._manager = StreamableHTTPSessionManager(
            make(toolbox, self._listening, of_request),
            json_response=True,
            stateless=True,
            max_request_body_size=_LARGEST,
        )
        self.application: Application = self._manager.handle_request
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Be ready for requests."""
        ready = asyncio.Event()
        self._running = asyncio.create_task(self._run(ready))
        await ready.wait()

    def close(self) -> None:
        """Let those go who listen. What else is under way is answered yet: the loop ends the rest."""
        self._listening.close()

    async def _run(self, ready: asyncio.Event) -> None:
        # Entered and left by one and the same task, as its task group wants it.
        async with self._manager.run():
            ready.set()
            await asyncio.get_running_loop().create_future()


def make(toolbox: Toolbox, listening: Listening, visit_of: Callable[[Context], Visit]) -> Server[Any]:
    """A server for every project and key; `visit_of` tells who is behind a request."""
    handlers = _Handlers(toolbox, listening, visit_of)
    hint = CacheHint(identity.TTL, "private")
    server: Server[Any] = Server(
        identity.NAME,
        version=__version__,
        title=identity.TITLE,
        instructions=identity.INSTRUCTIONS,
        cache_hints={
            "tools/list": hint,
            "prompts/list": hint,
            "resources/list": hint,
            "resources/templates/list": hint,
            "server/discover": hint,
            "resources/read": CacheHint(0, "private"),
        },
        # No argument of ours is mirrored into a header.
        get_tool_input_schema=lambda _: None,
    )
    add = server.add_request_handler
    add("tools/list", types.PaginatedRequestParams, handlers.list_tools)
    add("tools/call", types.CallToolRequestParams, handlers.call_tool)
    add("resources/list", types.PaginatedRequestParams, handlers.list_resources)
    add("resources/templates/list", types.PaginatedRequestParams, handlers.list_templates)
    add("resources/read", types.ReadResourceRequestParams, handlers.read_resource)
    add("prompts/list", types.PaginatedRequestParams, handlers.list_prompts)
    add("prompts/get", types.GetPromptRequestParams, handlers.get_prompt)
    add("completion/complete", types.CompleteRequestParams, handlers.complete)
    add("subscriptions/listen", types.SubscriptionsListenRequestParams, handlers.listen)
    server.middleware[:] = [_worded]
    return server


async def _worded(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Says what went wrong in the protocol's words."""
    try:
        return await call_next(ctx)
    except OctonetError as problem:
        code, data = rpc.code_of(problem), dict(rpc.data_of(problem))
        if ctx.method == "resources/read" and isinstance(problem, NotFound):
            data["uri"] = (ctx.params or {}).get("uri")
            code = code if ctx.protocol_version == identity.MODERN else _RESOURCE_NOT_FOUND
        raise MCPError(code, rpc.message_of(problem), data) from None


class _Handlers:
    """What is answered to each method. Results are dictionaries: the SDK checks and trims them for each revision."""

    def __init__(self, toolbox: Toolbox, listening: Listening, visit_of: Callable[[Context], Visit]) -> None:
        self._toolbox = toolbox
        self._listening = listening
        self._visit_of = visit_of

    async def list_tools(self, context: Context, params: types.PaginatedRequestParams) -> Told:
        view = self._visit_of(context).view
        await view.gateway.visit(view.project, view.who)
        page = self._toolbox.page(view, params.cursor)
        return _list("tools", [msgspec.json.decode(tool) for tool in page.tools], page.next)

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> Told:
        visit, raw = self._visit_of(context), context.params or {}
        _refuse_state(raw)
        tool = visit.view.find(params.name)
        if tool is None:
            raise _no_tool(visit, params.name)
        told = await call.run(visit.view, tool, params.arguments or {}, raw.get("_meta"), visit.headers)
        return {
            **_COMPLETE,
            "content": [{"type": "text", "text": told.text}],
            "structuredContent": msgspec.json.decode(told.structured),
            "isError": told.failed,
        }

    async def list_resources(self, context: Context, params: types.PaginatedRequestParams) -> Told:
        found, about = await resources.listed(self._visit_of(context).view)
        return _list("resources", *cursors.cut(found, about, params.cursor))

    async def list_templates(self, context: Context, params: types.PaginatedRequestParams) -> Told:
        return _list("resourceTemplates", *cursors.cut(resources.templates(), "templates", params.cursor))

    async def read_resource(self, context: Context, params: types.ReadResourceRequestParams) -> Told:
        _refuse_state(context.params or {})
        uri = str(params.uri)
        text = await resources.read(self._visit_of(context).view, uri)
        return {**_COMPLETE, "contents": [{"uri": uri, "mimeType": "application/json", "text": text}]}

    async def list_prompts(self, context: Context, params: types.PaginatedRequestParams) -> Told:
        return _list("prompts", *cursors.cut(prompts.listed(), "prompts", params.cursor))

    async def get_prompt(self, context: Context, params: types.GetPromptRequestParams) -> Told:
        _refuse_state(context.params or {})
        prompt = prompts.find(params.name)
        text = prompts.text(await self._visit_of(context).view.home(), params.name, params.arguments or {})
        message = {"role": "user", "content": {"type": "text", "text": text}}
        return {**_COMPLETE, "description": prompt.description, "messages": [message]}

    async def listen(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        return await self._listening.listen(self._visit_of(context).view, context, params)

    async def complete(self, context: Context, params: types.CompleteRequestParams) -> Told:
        view = self._visit_of(context).view
        wanted, begun = params.argument.name, params.argument.value
        known = (params.context.arguments if params.context is not None else None) or {}
        if isinstance(params.ref, types.PromptReference):
            found = await completion.of_prompt(view, params.ref.name, wanted, begun, known)
        else:
            found = await completion.of_resource(view, params.ref.uri, wanted, begun, known)
        shown = found[: completion.MOST]
        told = {"values": shown, "total": len(found), "hasMore": len(shown) < len(found)}
        return {**_COMPLETE, "completion": told}


def _list(name: str, entries: Any, following: str | None) -> Told:
    return {**_COMPLETE, name: list(entries), **({} if following is None else {"nextCursor": following})}


def _refuse_state(params: Mapping[str, Raw]) -> None:
    """What claims to go on with something that this server gave out a state for: it gives out none. Answers that were
    not asked for are no such claim, and count for nothing."""
    if params.get("requestState") is not None:
        raise Invalid("$.requestState: is not a state of this server", code="INVALID_STATE")


def _no_tool(visit: Visit, name: str) -> OctonetError:
    known = name.rpartition("_")[2] in visit.view.gateway.operations
    return NotFound(f"Unknown tool: {name[:200]}", code="ENTITY_NOT_FOUND" if known else "UNKNOWN_OP")
