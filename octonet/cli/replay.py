"""`octonet replay`: a database out of the log."""

from __future__ import annotations

import argparse

from octonet.cli.engine import broker
from octonet.config import Settings


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "replay",
        parents=[common],
        help="fold a project's log into another database",
        description="Fold the log, from the target's own checkpoint on, into the database at URI, of any kind: rows, "
        "links and versions come out equal, and are proved to be, by a hash over all rows of both databases at one "
        "entry of the log. A second run adds what happened since, or changes nothing. The running server is not "
        "disturbed.",
    )
    parser.add_argument("--project", default="default", metavar="P", help="default: default")
    parser.add_argument(
        "--to",
        required=True,
        metavar="URI",
        help="the database to fill, e.g. sqlite:///copy.db or postgresql://user@host/copy",
    )
    parser.add_argument(
        "--to-dialect", default="", metavar="DIALECT", help="kind of that database; default: as its URI says"
    )
    parser.add_argument(
        "--until",
        default="",
        metavar="POSITION|TIME",
        help="stop after this position, or before what happened after this time",
    )
    parser.add_argument("--unproved", action="store_true", help="do not hold it against the live database")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Replay once."""
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_replay(settings, started, arguments))


async def _replay(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.cli.engine.progress import Bars  # noqa: PLC0415
    from octonet.replay import Wish, replay  # noqa: PLC0415

    wish = Wish(arguments.project, arguments.to, arguments.to_dialect, arguments.until, not arguments.unproved)
    with Bars(arguments.quiet) as bars:
        done = await replay(settings, started.ready(), started.ours, wish, bars)
    print(f"{done.folded} log entries folded, up to {done.entry} of {done.last}")
    if done.proof is None:
        print("not held against the live database")
        return 0
    print(f"equal to the live database in all {done.proof.rows} rows, at log entry {done.proof.checkpoint.entry}:")
    for name, found in done.proof.entities.items():
        print(f"  {found.digest}  {found.rows:>10}  {name}")
    return 0
