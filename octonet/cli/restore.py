"""`octonet restore`: logs and databases out of a backup."""

from __future__ import annotations

import argparse
from pathlib import Path
from textwrap import fill

from octonet.cli.engine import broker
from octonet.config import Settings

_EXAMPLES = """\
examples:
  octonet restore /backups/octonet --check     is every byte as it was written? changes nothing, needs no server
  octonet restore /backups/octonet             onto an installation that lost its NATS store, its databases or both
  octonet restore /backups/octonet --resume    goes on where a restore was broken off

All of the backup is checked before anything is written. Start the server afterwards as usual: it goes on at the next
entry, with the same positions, keys and outcomes. What came after the backup is not in it.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "restore",
        parents=[common],
        help="make logs and databases out of a backup",
        description=fill(
            "Put the logs of a backup back onto the nats-server, with the same sequences, and fill the databases from "
            "them. No process of the installation may run meanwhile. Refused when the log that is there is as new as "
            "the backup, newer, or another; a database that is ahead of the backup, too.",
            100,
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("backup", type=Path, metavar="DIR", help="what `octonet backup --to` wrote")
    parser.add_argument(
        "--project", action="append", metavar="P", help="only this one; may be given several times; default: all"
    )
    parser.add_argument("--check", action="store_true", help="only read the backup, every byte of it")
    parser.add_argument(
        "--resume", action="store_true", help="go on with logs that hold a beginning of the backup already"
    )
    parser.add_argument(
        "--without-databases", action="store_true", help="logs only: the next start of the server fills the databases"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Restore, or only check."""
    if arguments.check:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415

        return run_loop(_check(arguments))
    with broker.owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_restore(settings, started, arguments))


async def _check(arguments: argparse.Namespace) -> int:
    from octonet.backups.restore import RestoreWish, check  # noqa: PLC0415

    projects = arguments.project or ("*",)
    found = await check(RestoreWish(arguments.backup, projects, quiet=arguments.quiet))
    for backed in found.projects:
        if "*" in projects or backed.project in projects:
            print(f"{backed.project}: {backed.last} entries are whole")
    print(f"the backup of {found.at} can be restored")
    return 0


async def _restore(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.backups.restore import RestoreWish, restore  # noqa: PLC0415

    wish = RestoreWish(
        arguments.backup,
        arguments.project or ("*",),
        arguments.resume,
        databases=not arguments.without_databases,
        quiet=arguments.quiet,
    )
    for done in await restore(settings, started.ready(), wish):
        database = "its database is filled" if done.filled else "its database is filled at the next start"
        print(f"{done.project}: {done.added} of {done.last} entries put back, {database}", end="")
        print(", every row as it was backed up" if done.proved else "")
        for note in done.notes:
            print(f"  {note}")
    return 0
