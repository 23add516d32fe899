"""`octonet snapshot`: all rows of a project, so that a rebuild need not begin with the first entry of its log."""

from __future__ import annotations

import argparse
from textwrap import fill

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

_EXAMPLES = """\
examples:
  octonet snapshot                            of the default project, beside a running server
  octonet snapshot --project shop --keep 3    and remove all but the newest three

Servers take snapshots by themselves where OCTONET_SNAPSHOT_EVERY says after how many entries of the log.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "snapshot",
        parents=[common],
        help="keep all rows of a project as they are now, for rebuilds to start from",
        description=fill(
            "Write all rows of a project, as they are at one entry of its log, to a file in the data directory, while "
            "it goes on being written to. A rebuild begins with the newest snapshot that is whole and folds what came "
            "since; a file fills a database of any kind. Secrets are sealed in it with the project's key.",
            100,
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--project", default="default", metavar="P", help="default: default")
    parser.add_argument("--keep", type=int, metavar="N", help="how many are kept; default: OCTONET_SNAPSHOTS_KEPT")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take one."""
    if arguments.keep is not None and arguments.keep < 1:
        raise Invalid("--keep is at least 1: the newest one stays")
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_snapshot(settings, started, arguments))


async def _snapshot(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.cli.engine.progress import Bars  # noqa: PLC0415
    from octonet.kernel.ids import ProjectName  # noqa: PLC0415
    from octonet.snapshot import snapshot  # noqa: PLC0415

    with Bars(arguments.quiet) as bars:
        path, taken = await snapshot(
            settings, started.ready(), started.ours, ProjectName(arguments.project), arguments.keep, bars
        )
    size = path.stat().st_size / 1_000_000
    print(f"{path}: {taken.rows} rows at log entry {taken.entry}, {size:.1f} MB")
    return 0
