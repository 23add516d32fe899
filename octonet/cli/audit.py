"""`octonet audit`: whether a project's log is whole, what stands in it, and a signed word on how far it has come."""

from __future__ import annotations

import argparse
from pathlib import Path

from octonet.cli.engine import broker
from octonet.config import Settings

_EXAMPLES = """\
examples:
  octonet audit verify                             the default project's log, from its first message to its last
  octonet audit verify --checkpoint kept.json      and against a checkpoint that was kept elsewhere
  octonet audit checkpoint > kept.json             a signed word on how far the log has come: keep it elsewhere
  octonet audit export --project shop > who.ndjson every command: who, what, when, through which door, what came of it
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "audit",
        help="verify a project's log, export it, vouch for it",
        description="The log is a hash chain over every command that was ever decided. A running server is not "
        "disturbed.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="verify|checkpoint|export")
    verify = what.add_parser(
        "verify",
        parents=[common],
        help="read all of the log and say whether it is whole",
        description="Each sequence must be there, each message carry the hash of the one before it, and the log hold "
        "what the database, the newest signed checkpoint of this data directory and --checkpoint say of it. Names the "
        "first bad place. Exit code: 0 when the log is whole, 1 when it is not.",
    )
    verify.add_argument("--checkpoint", type=Path, metavar="FILE", help="of `octonet audit checkpoint`")
    verify.add_argument("--quiet", action="store_true", help="no progress bar")
    checkpoint = what.add_parser("checkpoint", parents=[common], help="print a signed checkpoint")
    export = what.add_parser("export", parents=[common], help="print every command as a line of JSON")
    for one in (verify, checkpoint, export):
        one.add_argument("--project", default="default", metavar="P", help="default: default")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do it once."""
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine import auditing  # noqa: PLC0415  # heavy: after the nats-server was started
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415

        work = {"verify": auditing.verify, "checkpoint": auditing.checkpoint, "export": auditing.export}
        return run_loop(work[arguments.what](settings, started, arguments))
