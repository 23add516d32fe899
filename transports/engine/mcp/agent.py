"""Tools for web pages that do not speak the protocol: what there is, and a call, as plain JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from itertools import chain, islice
from typing import Final

import msgspec

from octonet import __version__
from octonet.kernel.errors import NotFound, invalid
from octonet.kernel.operation import Raw
from octonet.transport import Incoming, Reply
from transports.engine import coerce, orm_response, render
from transports.engine.mcp import arguments, identity, prompts
from transports.engine.mcp.door import Door
from transports.engine.mcp.tools import Tool
from transports.engine.mcp.view import View

AGENT: Final = "/api/mcp-agent"
_MOST: Final = 1000
"""Tools told at once; there are no pages here."""
_encode = msgspec.json.Encoder().encode


class Agent:
    """The routes below `/api/mcp-agent`, behind the same checks as the door itself."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._reads: Mapping[str, Callable[[View], Awaitable[object]]] = {
            "/info": self._info,
            "/tools": self._tools,
            "/prompts": self._prompts,
        }

    async def serve(self, incoming: Incoming) -> Reply:
        """One request."""
        view = await self._door.enter(incoming)
        if incoming.below == "/call":
            _only(incoming, "POST")
            return await self._call(view, incoming)
        read = self._reads.get(incoming.below)
        if read is None:
            raise render.Refused(404, "NOT_FOUND", "there are info, tools, prompts and call")
        _only(incoming, "GET")
        return Reply(_encode(await read(view)))

    async def _info(self, view: View) -> object:
        capabilities: dict[str, object] = {"tools": {}, "resources": {}, "prompts": {}, "completions": {}}
        return {"name": identity.NAME, "version": __version__, "capabilities": capabilities}

    async def _tools(self, view: View) -> object:
        await view.gateway.visit(view.project, view.who)
        mine = (self._door.toolbox.of(view, home, families) for home, families in view.projects())
        return [_told(tool) for tool in islice(chain.from_iterable(mine), _MOST)]

    async def _prompts(self, view: View) -> object:
        return prompts.listed()

    async def _call(self, view: View, incoming: Incoming) -> Reply:
        content = coerce.body(incoming)
        if not isinstance(content, dict) or not isinstance(content.get("tool"), str) or not content["tool"]:
            raise invalid("$.tool", "is missing", code="MISSING_TOOL")
        for name in content:
            if name not in ("tool", "params"):
                raise invalid(f"$.{name}"[:80], "is not a member of a call", code="UNKNOWN_MEMBER")
        tool = view.find(str(content["tool"]))
        if tool is None:
            raise NotFound(f"there is no tool {str(content['tool'])[:200]!r}", code="UNKNOWN_TOOL")
        request = arguments.read(tool.operation, tool.schema, _params(content.get("params")))
        return Reply(orm_response.whole(await view.gateway.execute(tool.project, request, view.who)))


def _told(tool: Tool) -> dict[str, object]:
    return {
        "name": tool.name,
        "description": msgspec.json.decode(tool.described)["description"],
        "entity": tool.schema.name,
        "operation": tool.operation.op(),
        "fields": list(tool.schema.fields),
    }


def _params(given: Raw) -> dict[str, Raw]:
    if given is None:
        return {}
    found = coerce.json_text(given, "$.params") if isinstance(given, str) else given
    if not isinstance(found, dict):
        raise invalid("$.params", "must be a JSON object")
    return found


def _only(incoming: Incoming, method: str) -> None:
    allowed = {"GET": ("GET", "HEAD")}.get(method, (method,))
    if incoming.method not in allowed:
        allow = ", ".join(allowed)
        raise render.Refused(405, "METHOD_NOT_ALLOWED", f"only {allow} is possible here", {"Allow": allow})
