"""`octonet dead-letters`: the frames that a lane could not read."""

from __future__ import annotations

import argparse
import sys

from octonet.cli.engine import broker
from octonet.config import Settings

_ABOUT = """\
A frame of commands that the lane cannot read, whole or in one of its envelopes, is put aside as a dead letter; what
could be read of it was decided as ever, and the lane went on. The usual causes: a program of an older or newer version,
or a stranger, published to the command stream.

  list            what there is, and why
  show SEQ        one letter with its bytes
  retry SEQ       publish the frame again, e.g. after an upgrade that can read it, and remove the letter. Commands that
                  were decided already stay as they are; a frame that still cannot be read comes back as a new letter
  drop SEQ        remove the letter for good

SEQ is the number that `list` shows first. Exit code: 0 done, 1 failed, or not confirmed, 2 wrongly called, 3 done in
part.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "dead-letters",
        help="look at the frames that could not be read, retry or drop them",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ours = argparse.ArgumentParser(add_help=False)
    ours.add_argument("--project", default="default", metavar="P", help="default: default")
    ours.add_argument("--json", action="store_true", help="print JSON")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    def action(name: str, text: str, *, many: bool = False, one: bool = False) -> argparse.ArgumentParser:
        found = actions.add_parser(name, parents=[common, ours], help=text, description=text)
        if one:
            found.add_argument("sequence", type=int, metavar="SEQ", help="number of the letter")
        if many:
            which = found.add_mutually_exclusive_group(required=True)
            which.add_argument("sequence", type=int, nargs="?", metavar="SEQ", help="number of the letter")
            which.add_argument("--all", action="store_true", help="every letter there is")
            found.add_argument("--quiet", action="store_true", help="no progress bar")
        found.set_defaults(run=run, action=name)
        return found

    action("list", "list the letters, the oldest first")
    action("show", "show one letter with its bytes", one=True)
    action("retry", "publish frames to the command stream again, and remove their letters", many=True)
    drop = action("drop", "remove letters for good", many=True)
    drop.add_argument("--yes", action="store_true", help="do not ask")


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do one action."""
    if arguments.action == "drop" and not arguments.yes and not _confirmed(arguments):
        print("nothing was dropped", file=sys.stderr)
        return 1
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_act(started, arguments))


async def _act(started: broker.Started, arguments: argparse.Namespace) -> int:
    from jetstream.connection import connect  # noqa: PLC0415
    from octonet.cli.engine.letters import Letters  # noqa: PLC0415

    client = await connect(started.ready(), "octonet dead-letters")
    try:
        letters = Letters(client, arguments.project, arguments.json)
        if arguments.action == "list":
            return await letters.list()
        if arguments.action == "show":
            return await letters.show(arguments.sequence)
        return await letters.clear(arguments.sequence, again=arguments.action == "retry", quiet=arguments.quiet)
    finally:
        await client.close()


def _confirmed(arguments: argparse.Namespace) -> bool:
    what = "every dead letter" if arguments.all else f"dead letter {arguments.sequence}"
    print(f"Remove {what} of project {arguments.project} for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
