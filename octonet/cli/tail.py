"""`octonet tail`: the facts as they happen, one JSON object a line."""

from __future__ import annotations

import argparse
import asyncio
import signal

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import Unavailable


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "tail",
        parents=[common],
        help="print facts as they happen",
        description="Subscribe to facts on NATS, e.g. 'mostajs.Flight.*', 'mostajs.*.deleted', and print each as "
        "`subject JSON`. Needs a running server.",
    )
    parser.add_argument("subject", nargs="?", default="mostajs.>", metavar="SUBJECT", help="default: mostajs.>")
    parser.add_argument("--count", type=int, metavar="N", help="stop after N facts")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Tail until SIGINT, SIGTERM or the count."""
    from jetstream.server import find_facts  # noqa: PLC0415
    from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415

    endpoint = broker.external(settings) or find_facts(DataDirectory(settings.data_dir).nats)
    if endpoint is None:
        raise Unavailable(f"no server runs on the data directory {settings.data_dir}; start one with `octonet serve`")

    async def tail() -> int:
        from jetstream.tail import facts  # noqa: PLC0415

        stop = asyncio.Event()
        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
        left = arguments.count
        async for subject, body in facts(endpoint, arguments.subject, stop):
            print(f"{subject} {body.decode()}", flush=True)
            left = left - 1 if left is not None else None
            if left == 0:
                break
        return 0

    return run_loop(tail())
