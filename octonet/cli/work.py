"""`octonet work`: a worker without doors."""

from __future__ import annotations

import argparse
import asyncio
from textwrap import fill
from typing import TYPE_CHECKING

from octonet.cli.engine import broker
from octonet.config import Settings

if TYPE_CHECKING:
    from octonet.app import Node
    from octonet.kernel.ids import ProjectName

_LOOK = 0.05
_EXAMPLES = """\
examples:
  octonet work                       stand by for every project
  octonet work --projects shop,crm   for these two only
  NATS_URL=nats://… octonet work     beside servers on other machines

Projects spread over all workers that live: one that comes is handed its share within seconds, the share of one that
goes is taken by the others, at once when it stops in good order, within five seconds when it dies.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "work",
        parents=[common],
        help="apply commands, open no door",
        description=fill(
            "Stand by for the lanes of the projects: when no other worker owns one, or its owner dies, this one "
            "catches up with the log and goes on. Uses NATS_URL, or the nats-server of a server that runs on the "
            "same data directory, or starts its own.",
            100,
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--projects", default="*", metavar="A,B|*", help="the projects to work for; default: all")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Work until SIGINT or SIGTERM."""
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_work(settings, started, arguments.projects))


async def _work(settings: Settings, started: broker.Started, wanted: str) -> int:
    from octonet.app import open_node  # noqa: PLC0415
    from octonet.cli.engine.first_start import first_start  # noqa: PLC0415
    from octonet.cli.engine.loop import stop_signals  # noqa: PLC0415
    from octonet.kernel.ids import ProjectName  # noqa: PLC0415
    from octonet.project_files import EVERY  # noqa: PLC0415

    stop = stop_signals()
    only = [ProjectName(name.strip()) for name in wanted.split(",") if name.strip()]
    node = await open_node(settings, started.ready(), worker=True, only=None if EVERY in only else only)
    watching = asyncio.create_task(started.watch())
    count = len(node.public())
    print(f"standing by for {f'{count} lanes' if count > 1 else 'the lane'}", flush=True)
    tasks = [asyncio.create_task(work) for work in (_tell(node), first_start(node))]
    try:
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await node.close()
        watching.cancel()
    return 0


async def _tell(node: Node) -> None:
    """Say which lanes are owned, whenever that changes."""
    before: set[ProjectName] = set()
    while True:
        names = node.public()
        now = {name for name in names if node.owns(name)}
        for name in sorted(now - before):
            print(f"owns the lane{f' of {name}' if len(names) > 1 else ''}", flush=True)
        for name in sorted(before - now):
            print(f"owns the lane{f' of {name}' if len(names) > 1 else ''} no more", flush=True)
        before = now
        await asyncio.sleep(_LOOK)
