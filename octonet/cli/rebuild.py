"""`octonet rebuild`: a new database out of the log, in place of the one that is served."""

from __future__ import annotations

import argparse
import os
from textwrap import fill

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

_EXAMPLES = """\
examples:
  octonet rebuild                                                    SQLite: octonet.db becomes octonet-2.db
  octonet rebuild --project shop --to postgresql://user@host/shop    move to PostgreSQL while it is written to
  octonet rebuild --project shop --to sqlite:///data/shop.db         back again: the former database is folded forward
  octonet rebuild --rate 5000                                        slowly, on a machine that is busy
  octonet rebuild --unproved                                         the live database is lost, or known to be wrong

A rebuild that was interrupted goes on where it was: run the same command again. The former database stays as it is;
remove it when it is not wanted any more.
"""
_NICE = 10


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "rebuild",
        parents=[common],
        help="fill a new database from a project's log, prove it equal, and serve from it",
        description=fill(
            "Fill a new database from the newest snapshot and the log, beside the live one, which goes on being read "
            "and written. When the two are proved equal, row by row, at one entry of the log, the project is served "
            "from the new one; writes wait for a moment, and none is refused or lost.",
            100,
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--project", default="default", metavar="P", help="default: default")
    parser.add_argument(
        "--to",
        default="",
        metavar="URI",
        help="an empty database, or one that was filled from this log before; default (SQLite): the next file beside "
        "the live one",
    )
    parser.add_argument("--to-dialect", default="", metavar="DIALECT", help="its kind; default: as its URI says")
    parser.add_argument(
        "--rate", type=float, default=0.0, metavar="N", help="rows a second at most; default: any number"
    )
    parser.add_argument("--no-snapshot", action="store_true", help="begin with the first entry of the log")
    parser.add_argument("--unproved", action="store_true", help="do not hold it against the live database")
    parser.add_argument("--no-takeover", action="store_true", help="fill and prove, and serve from the live one on")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Rebuild once."""
    if arguments.rate < 0:
        raise Invalid("--rate is a number of rows a second; 0 for as many as can be")
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        # Whoever is served goes first.
        os.nice(_NICE)
        return run_loop(_rebuild(settings, started, arguments))


async def _rebuild(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.cli.engine.credentials import masked  # noqa: PLC0415
    from octonet.cli.engine.progress import Bars  # noqa: PLC0415
    from octonet.kernel.ids import ProjectName  # noqa: PLC0415
    from octonet.rebuild import Wish, rebuild  # noqa: PLC0415

    wish = Wish(
        ProjectName(arguments.project),
        arguments.to,
        arguments.to_dialect,
        arguments.rate,
        not arguments.unproved,
        not arguments.no_snapshot,
        not arguments.no_takeover,
    )
    with Bars(arguments.quiet) as bars:
        done = await rebuild(settings, started.ready(), started.ours, wish, bars)
    before, after = masked(done.before.uri), masked(done.target.uri)
    proof = "not held against the database before" if done.rows is None else f"equal in all {done.rows} rows"
    print(f"{after} is rebuilt, {proof}, at log entry {done.entry}")
    if wish.takes_over:
        back = f"octonet rebuild --project {wish.project} --to {before}"
        print(f"project {wish.project} is served from it now; {before} stays as it is. Back again: {back}")
        if done.named:
            print("A setting or the projects tree names the former one: write the new address there, for what a file")
            print("says of a project counts again as soon as it says something new.")
    return 0
