"""`octonet backup`: the logs of an installation into a directory."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

_EXAMPLES = """\
examples:
  octonet backup --to /backups/octonet             every project, the one of keys and people among them
  octonet backup --to /backups/octonet             once more: adds what happened since
  octonet backup --to /backups/shop --project shop --prove --rate 20

A backup that ends at some entry holds all that was acknowledged up to there. `octonet restore DIR` makes logs and
databases out of it again; `octonet restore DIR --check` only reads it, every byte.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "backup",
        parents=[common],
        help="copy the logs, out of which everything can be made again",
        description=fill(
            "Copy the log of each project, as it is at this moment, with the projects' keys, into a directory. The "
            "running server goes on meanwhile. The chain of the log is checked on the way: what is damaged is not "
            "backed up. The backup counts when the file `manifest` is there, which is written last.",
            100,
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--to", required=True, type=Path, metavar="DIR", help="an empty directory, or an earlier backup"
    )
    parser.add_argument(
        "--project", action="append", metavar="P", help="only this one; may be given several times; default: all"
    )
    parser.add_argument(
        "--without-keys",
        action="store_true",
        help="leave the keys out (<data>/keys): keep them elsewhere then, for without them no secret can be opened",
    )
    parser.add_argument(
        "--prove",
        action="store_true",
        help="read every database, too, and note the hashes of its rows, so that a restore can prove its own equal",
    )
    parser.add_argument("--rate", type=float, default=0.0, metavar="MB", help="read so many megabytes a second at most")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Back up once."""
    if arguments.rate < 0:
        raise Invalid("--rate is a number of megabytes a second, above 0")
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_back_up(settings, started, arguments))


async def _back_up(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.backups.backup import BackupWish, back_up  # noqa: PLC0415

    wish = BackupWish(
        arguments.to,
        arguments.project or ("*",),
        not arguments.without_keys,
        arguments.prove,
        arguments.rate * 1e6,
        arguments.quiet,
    )
    done = await back_up(settings, started.ready(), wish)
    for backed in done.projects:
        size = sum(segment.size for segment in backed.segments)
        print(f"{backed.project}: {backed.last} entries, {len(backed.segments)} files, {size} bytes")
    if not done.keys:
        print("the keys are not in it: keep <data>/keys elsewhere, without them no secret can be opened")
    return 0
