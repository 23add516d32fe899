"""`octonet verify`: whether a project's log is whole."""

from __future__ import annotations

import argparse
import sys

from octonet.cli.engine import broker
from octonet.config import Settings


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        parents=[common],
        help="read a project's log and say whether it is whole",
        description="Read every message of the log from the first: each sequence must be there, and each message carry "
        "the hash of the one before it. Names the first bad place. The running server is not disturbed. Exit code: 0 "
        "when the log is whole, 1 when it is not.",
    )
    parser.add_argument("--project", default="default", metavar="P", help="default: default")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Verify once."""
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_verify(started, arguments))


async def _verify(started: broker.Started, arguments: argparse.Namespace) -> int:
    from tqdm import tqdm  # noqa: PLC0415

    from jetstream.connection import connect  # noqa: PLC0415
    from jetstream.log import JetStreamLog  # noqa: PLC0415
    from octonet.kernel.ids import ProjectName  # noqa: PLC0415
    from octonet.kernel.integrity import walk  # noqa: PLC0415
    from octonet.kernel.log import LogGap  # noqa: PLC0415

    client = await connect(started.ready(), "octonet verify")
    try:
        log = JetStreamLog(client, ProjectName(arguments.project))
        last = (await log.state()).last
        with tqdm(total=last, unit="entry", desc=arguments.project, disable=arguments.quiet) as bar:
            async for reached in walk(log, last):
                bar.update(reached - bar.n)
        # The server's own count is asked last: it names no place, the walk does.
        await log.last()
    except LogGap as problem:
        print(f"octonet: the log of project {arguments.project} is damaged: {log.name}: {problem}", file=sys.stderr)
        return 1
    finally:
        await client.close()
    print(f"{last} messages of {log.name} are whole")
    return 0
