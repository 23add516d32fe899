"""One client at standard input and output, until it leaves or a signal comes."""

from __future__ import annotations

import asyncio

from octonet.access.gate import insider
from octonet.access.principal import Caller, Visitor
from octonet.app import Node
from octonet.cli.engine.loop import stop_signals
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Denied
from octonet.kernel.ids import ProjectName
from transports.engine.mcp.stdio import serve as serve_lines
from transports.engine.mcp.view import View

_NAME = "mcp"


async def serve(node: Node, project: ProjectName, key: str, longest: int) -> None:
    """Serve whoever started this, or whoever a key belongs to. Raises `Unauthenticated`, `Denied`."""
    node.schemas(project)
    view = View(node.gateway, project, await _who(node, key))
    if not view.families:
        raise Denied(f'API key not authorized for projects="{project}"')
    stop = stop_signals()
    tasks = [asyncio.create_task(serve_lines(view, longest)), asyncio.create_task(stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _who(node: Node, key: str) -> Visitor:
    if not key:
        return insider(_NAME)
    caller = Caller(Actor(transport=_NAME), key)
    return node.gateway.recognise(caller) or await node.gateway.admit(caller)
