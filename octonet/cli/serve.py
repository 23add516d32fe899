"""`octonet serve`: the doors and, in the same process, the worker."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

from octonet import __version__
from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

if TYPE_CHECKING:
    from octonet.app import Node

_RED, _PLAIN = "\033[1;31m", "\033[0m"
_GRACE = 8.0

_NO_KEYS = """\
octonet: keys are not checked by this version, so it starts only when you say that this is what you want.
  OCTONET_OPEN_MODE=true octonet serve     everyone who reaches the port may read and write everything
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "serve",
        parents=[common],
        help="open the doors and work",
        description="Serve the schema over every door. Without NATS_URL a nats-server of its own is started in the "
        "data directory; without SGBD_URI the rows go to a SQLite file there.",
    )
    parser.add_argument("--host", help="address to listen on (OCTONET_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (MOSTA_NET_PORT)")
    parser.add_argument(
        "--seed",
        action="append",
        default=[],
        metavar="ENTITY=FILE",
        help="load this file on the first start, as `octonet load` would; may be given several times",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    if not settings.open_mode:
        print(_NO_KEYS, file=sys.stderr, end="")
        return 1
    seeds = [_seed(text) for text in arguments.seed]
    with broker.owned(settings) as endpoint:
        # The nats-server starts while these are loaded.
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415

        return run_loop(_serve(settings, endpoint, seeds))


async def _serve(settings: Settings, endpoint: broker.Started, seeds: list[tuple[str, str]]) -> int:
    from octonet.app import Doors, open_node  # noqa: PLC0415  # heavy: after the nats-server was started
    from octonet.cli.engine.loop import settle  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    node = await open_node(settings, endpoint.ready(), worker=True)
    watching = asyncio.create_task(endpoint.watch())
    try:
        await node.owned()
        doors = Doors(settings, node)
        port = await doors.open(settings.host, settings.port)
        settle()
        _banner(settings, node, port)
        seeding = asyncio.create_task(_seed_all(node, seeds, settings, port))
        try:
            await stop.wait()
            print("stopping: requests are finished, facts published …", flush=True)
        finally:
            seeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await seeding
            await doors.close(_GRACE)
    finally:
        await node.close()
        watching.cancel()
    return 0


async def _seed_all(node: Node, seeds: list[tuple[str, str]], settings: Settings, port: int) -> None:
    from octonet.cli.engine.seeding import seed  # noqa: PLC0415

    for entity, file in seeds:
        await seed(node, settings, entity, file)
    _curls(settings, node, port)


def _seed(text: str) -> tuple[str, str]:
    entity, separator, file = text.partition("=")
    if not separator or not entity or not file:
        raise Invalid(f"--seed {text!r} is not of the form ENTITY=FILE")
    return entity, file


def _banner(settings: Settings, node: Node, port: int) -> None:
    entities = list(node.schemas.entities)
    doors = [door.name for door in node.doors]
    shown = f"{', '.join(entities[:6])}{' …' if len(entities) > 6 else ''}"
    if settings.open_mode:
        red, plain = (_RED, _PLAIN) if sys.stdout.isatty() else ("", "")
        print(f"{red}OPEN MODE: everyone who reaches the port may read and write everything{plain}")
    print(
        f"""
  octonet  v{__version__}
  ─────────────────────────────────────────────────
  Dialect:    {settings.dialect} ({settings.database_uri()})
  Log:        {settings.nats_url or "embedded nats-server"}
  Entities:   {shown}  ({len(entities)})
  Port:       {port}  on {settings.host}
  Strategy:   {settings.schema_strategy}
  Transports: {", ".join(doors)}  ({len(doors)})
  Ready.  {len(entities)} entities × {len(doors)} transports = {len(entities) * len(doors)} endpoints
""",
        flush=True,
    )


def _curls(settings: Settings, node: Node, port: int) -> None:
    base = f"http://{settings.host}:{port}"
    entities = list(node.schemas.entities)
    if not entities:
        return
    first, last = entities[0], entities[-1]
    print(
        f"""  Try:
    curl '{base}/api/v1/{last}?limit=3'
    curl '{base}/api/v1/{first}/count'
    curl -X POST '{base}/api/v1/{last}/aggregate' -H 'content-type: application/json' \\
         -d '{{"stages":[{{"$group":{{"n":{{"$count":true}}}}}}]}}'
    curl -N '{base}/events?entity={last}'
    curl '{base}/openapi.json'
""",
        flush=True,
    )
