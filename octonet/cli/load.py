"""`octonet load`: a file of records through the command path."""

from __future__ import annotations

import argparse
from pathlib import Path

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid

_PARTLY = 3


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "load",
        parents=[common],
        help="create a row for each record of a JSON, NDJSON or CSV file",
        description="Each record becomes a create command, validated like any other, and goes through the log. A "
        "running server does the writing; without one, this command works for itself. A record may bring its id; "
        "one whose id exists already is left alone, so that an interrupted load can be run again. Exit code: 0 when "
        "every record is there, 3 when some were rejected (each is reported by its line).",
    )
    parser.add_argument("entity", metavar="ENTITY", help="name or collection of the entity")
    parser.add_argument("file", metavar="FILE", type=Path, help=".json (an array), .ndjson, .jsonl or .csv")
    parser.add_argument("--project", default="default", metavar="P", help="default: default")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Load one file."""
    if not arguments.file.is_file():
        raise Invalid(f"there is no file {arguments.file}")
    with broker.found_or_owned(settings) as started:
        from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

        return run_loop(_load(settings, started, arguments))


async def _load(settings: Settings, started: broker.Started, arguments: argparse.Namespace) -> int:
    from octonet.app import open_node  # noqa: PLC0415
    from octonet.cli.engine.loading import Loader  # noqa: PLC0415
    from octonet.kernel.ids import ProjectName  # noqa: PLC0415

    project = ProjectName(arguments.project)
    node = await open_node(settings, started.ready(), started.ours, only=[project])
    try:
        await node.owned()
        node.schemas(project)
        tally = await Loader(node, project, arguments.entity, arguments.quiet).load(arguments.file)
    finally:
        await node.close()
    print(f"{tally.created} created, {tally.present} were there already, {tally.rejected} rejected")
    return _PARTLY if tally.rejected else 0
