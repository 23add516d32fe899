"""`octonet work`: a worker without doors."""

from __future__ import annotations

import argparse
import asyncio
import signal

from octonet.cli.engine import broker
from octonet.config import Settings


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "work",
        parents=[common],
        help="apply commands, open no door",
        description="Stand by for the project's lane: when no other worker owns it, or its owner dies, this one "
        "catches up with the log and goes on. Uses NATS_URL, or the nats-server of a server that runs on the same "
        "data directory, or starts its own.",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Work until SIGINT or SIGTERM."""
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_work(settings, started))


async def _work(settings: Settings, started: broker.Started) -> int:
    from octonet.app import open_node  # noqa: PLC0415

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    node = await open_node(settings, started.ready(), worker=True)
    watching = asyncio.create_task(started.watch())
    print("standing by for the lane", flush=True)
    owning = asyncio.create_task(node.owned())
    owning.add_done_callback(lambda task: None if task.cancelled() else print("owns the lane", flush=True))
    try:
        await stop.wait()
    finally:
        owning.cancel()
        await node.close()
        watching.cancel()
    return 0
