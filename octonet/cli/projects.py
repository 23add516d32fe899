"""`octonet projects`: what is served, as files and the system project say."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from octonet.config import Settings
from octonet.kernel.errors import Invalid
from octonet.kernel.ids import is_private

if TYPE_CHECKING:
    from octonet.projects_tree import ProjectSettings

_EXAMPLES = """\
examples:
  octonet projects list
  octonet projects export projects-tree.json     with credentials: the file is its owner's alone
  octonet projects export - --masked             without, to the terminal

What files say of a project counts until it is changed at run time (/api/projects); an exported tree says how things
are now. No server needs to run.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "projects",
        help="list projects, export them as a tree",
        description="The projects of this installation: those that settings and the projects tree name, as they were "
        "changed at run time, and those that were added since.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="list|export")
    what.add_parser("list", parents=[common], help="names, databases, entities")
    export = what.add_parser("export", parents=[common], help="a projects tree of all that is served now")
    export.add_argument("file", metavar="FILE|-", help="where to write it; - is the terminal")
    export.add_argument("--masked", action="store_true", help="without the passwords of databases")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Do it."""
    from octonet.serving.stored_projects import known_projects  # noqa: PLC0415  # heavy

    found = asyncio.run(known_projects(settings))
    public = sorted((project for project in found if not is_private(project.name)), key=lambda project: project.name)
    if arguments.what == "list":
        _list(public)
    else:
        _export(public, arguments.file, arguments.masked)
    return 0


def _list(projects: Sequence[ProjectSettings]) -> None:
    from octonet.admin.masking import masked  # noqa: PLC0415

    width = max((len(project.name) for project in projects), default=0)
    for project in projects:
        entities = ", ".join(project.schemas.entities) or "no entity"
        paused = " (paused)" if project.paused else ""
        print(f"{project.name:{width}}  {project.dialect:10}  {masked(project.uri)}{paused}  {entities}")


def _export(projects: Sequence[ProjectSettings], file: str, hide: bool) -> None:
    from octonet.admin.masking import masked  # noqa: PLC0415
    from octonet.projects_tree import write_one  # noqa: PLC0415

    tree = {
        project.name: {**write_one(project), "uri": masked(project.uri) if hide else project.uri}
        for project in projects
    }
    text = msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"
    if file == "-":
        print(text.decode(), end="")
        return
    path = Path(file)
    try:
        # Whole or not at all, and nobody else's to read.
        fresh = path.with_name(f".{path.name}.new")
        with open(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
            out.write(text)
        fresh.replace(path)
    except OSError as problem:
        raise Invalid(f"{file} cannot be written: {problem.strerror}") from None
    print(f"{len(projects)} projects written to {file}")
