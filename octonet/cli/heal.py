"""`octonet heal`: a damaged copy of a stream is replaced by what the other servers hold."""

from __future__ import annotations

import argparse
from pathlib import Path

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

_ABOUT = """\
One server of a cluster holds a damaged copy: `/health` and the log name stream and server. Stop that nats-server, and
run this on its machine. The other copies are read from end to end first; only when every one of them is whole is the
damaged one removed. Then start the server again: it fetches the stream from the others, and its new copy is read in
turn.

Serving goes on all the while. A stream of one copy cannot be healed: `octonet restore` brings it back from a backup.
"""
_EXAMPLES = """\
examples:
  octonet heal --stream OCTO_LOG_shop --server n2 --store /data    one stream
  octonet heal --project shop --server n2 --store /data            log, facts and commands of a project

An interrupted heal is run again. Exit code: 0 healed, 1 refused or failed.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "heal",
        parents=[common],
        help="replace a damaged copy of a stream by what the other servers of the cluster hold",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--stream", metavar="S", help="the stream, as the alarm names it")
    which.add_argument("--project", metavar="P", help="log, facts and commands of this project")
    parser.add_argument("--server", required=True, metavar="NAME", help="the nats-server that holds the damaged copy")
    parser.add_argument("--store", required=True, type=Path, metavar="DIR", help="its store_dir on this machine")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Heal one server's copies."""
    endpoint = broker.external(settings)
    if endpoint is None:
        raise Invalid(
            "there is one nats-server, and one copy of each stream: nothing to heal it with. Restore it from a backup "
            "(`octonet restore`); for a cluster set NATS_URL"
        )
    from octonet.cli.engine.healing import heal  # noqa: PLC0415
    from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy

    return run_loop(
        heal(
            endpoint,
            arguments.stream or "",
            arguments.project or "",
            arguments.server,
            arguments.store,
            arguments.quiet,
        )
    )
