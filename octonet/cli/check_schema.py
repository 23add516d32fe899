"""`octonet check-schema`: every fault of a schema file, by path."""

from __future__ import annotations

import argparse
from pathlib import Path

from octonet.config import Settings
from octonet.kernel.errors import Invalid, ValidationError
from octonet.kernel.schema_parse import parse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "check-schema",
        parents=[common],
        help="say what is wrong with a schema file",
        description="Check a schema file as a start would, and list every fault by its path. Exit code 1 if any.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a JSON array of entities")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Check one file."""
    try:
        text = arguments.file.read_bytes()
    except OSError as problem:
        raise Invalid(f"{arguments.file} cannot be read: {problem.strerror}") from None
    try:
        schemas = parse(text)
    except ValidationError as problem:
        for fault in problem.faults:
            print(f"{arguments.file}: {fault.path}: {fault.message}")
        return 1
    for entity in schemas.entities.values():
        relations = f", {len(entity.relations)} relations" if entity.relations else ""
        print(f"{entity.name} ({entity.collection}): {len(entity.fields)} fields{relations}")
    return 0
