"""`octonet rotate`: the stream that a log is kept in is closed for good, and the log goes on in another."""

from __future__ import annotations

import argparse

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.ids import DEFAULT_PROJECT

_ABOUT = """\
What a log's stream holds can never be deleted, so that it only grows. `rotate` closes it: nothing is ever added to it
or taken from it any more, and the log goes on in a new stream with the next sequence. Positions, rebuilds, history and
the chain of the log go through all of its streams as through one.

The worker that decides for the project does it between two batches: no write is refused, none waits longer than a
moment. A rotation that is broken off is finished by whoever decides next.
"""
_EXAMPLES = """\
examples:
  octonet rotate                     the default project
  octonet rotate --project shop      another one

By itself it happens at a size: see OCTONET_ROTATE_AT. Exit code: 0 done, 1 refused or failed.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "rotate",
        parents=[common],
        help="close the stream that a log is kept in; the log goes on in a new one",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--project", metavar="P", default=str(DEFAULT_PROJECT), help="whose log (default: %(default)s)")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Ask the owner of the project's lane."""
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy
        from octonet.cli.engine.rotation import rotate  # noqa: PLC0415

        return run_loop(rotate(started.ready(), arguments.project))
