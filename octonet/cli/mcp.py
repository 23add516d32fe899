"""`octonet mcp`: tools for one language model, over standard input and output."""

from __future__ import annotations

import argparse
import importlib.util

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Unavailable

_EPILOG = """\
what a desktop client is told (a path must be absolute, as nobody knows where it starts programs):

  {"mcpServers": {"octonet": {
    "command": "octonet",
    "args": ["mcp", "--data-dir", "/srv/octonet/data", "--schemas", "/srv/octonet/schemas.json"]}}}

A server that runs on the same data directory does the writing; without one, this command works for itself. A program
elsewhere speaks to the server instead, at http://HOST:4488/mcp, and shows its key as X-API-Key.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "mcp",
        parents=[common],
        help="serve one MCP client over standard input and output",
        description="Every operation of every entity as a tool, for a client that starts its servers itself. Whoever "
        "starts it may do everything, unless a key says what they may.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--project", default="default", metavar="P", help="default: default, which shows the others")
    parser.add_argument("--key", default="", help="an API key, whose scopes then count")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until the client closes its end, or a signal."""
    if importlib.util.find_spec("mcp") is None:
        raise Unavailable("octonet mcp needs more to be installed: pip install 'octonet[mcp]'")
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_serve(settings, started, arguments))


async def _serve(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.app import open_node  # noqa: PLC0415
    from octonet.cli.engine.desk import serve  # noqa: PLC0415
    from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName  # noqa: PLC0415

    project = ProjectName(arguments.project)
    only = None if project == DEFAULT_PROJECT else [project]
    node = await open_node(settings, started.ready(), started.ours, only=only)
    try:
        await node.owned()
        await serve(node, project, arguments.key, settings.max_body)
    finally:
        await node.close()
    return 0
