"""`octonet proto`: the .proto files of a project."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Final

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import Invalid, Unavailable

_PACKAGES: Final = ("octonet.v1", "octonet.core.v1", "mostajs")
_EPILOG: Final = """\
The packages:
  octonet.v1       a service for each entity with every operation, watching, importing and batches
  octonet.core.v1  what octonet.v1 imports, and operations as JSON
  mostajs          six methods per entity, as older clients know them

For a client, write all of them and compile:
  octonet proto --schemas schemas.json --to proto
  buf generate proto

The number of a field never changes. It comes from all schemas that the project ever had, which the log tells: where the
data directory has a log, or NATS_URL names a server, it is read. Without one the numbers are those of a new project. A
running server prints the same at GET /api/grpc/proto?package=octonet.v1.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "proto",
        parents=[common],
        help="print the .proto files of a project's gRPC services",
        description="Print a project's .proto file, or write all of them into a directory, for the clients of the gRPC "
        "door.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--project", default="default", metavar="P", help="default: default")
    parser.add_argument("--package", choices=_PACKAGES, help="only this one; default: octonet.v1, with --to all")
    parser.add_argument("--to", type=Path, metavar="DIR", help="write the files below this directory")
    parser.add_argument("--no-log", action="store_true", help="number the fields as if the project were new")
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print or write."""
    if importlib.util.find_spec("google.protobuf") is None:
        raise Unavailable("this needs more to be installed: pip install 'octonet[grpc]'", code="DOOR_NOT_INSTALLED")
    has_log = bool(settings.nats_url) or DataDirectory(settings.data_dir).nats.exists()
    if arguments.no_log or not has_log:
        return _tell(settings, None, arguments)
    with broker.found_or_owned(settings) as started:
        return _tell(settings, started, arguments)


def _tell(settings: Settings, started: broker.Started | None, arguments: argparse.Namespace) -> int:
    from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415  # heavy: after the nats-server was started

    async def tell() -> int:
        from octonet.cli.engine.describing import texts  # noqa: PLC0415

        found = await texts(settings, None if started is None else started.ready(), arguments.project)
        wanted = arguments.package or (None if arguments.to else _PACKAGES[0])
        for package, path, text in found:
            if wanted is not None and package != wanted:
                continue
            if arguments.to is None:
                print(text, end="")
            else:
                _write(arguments.to / path, text)
        return 0

    return run_loop(tell())


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as problem:
        raise Invalid(f"{path} cannot be written: {problem.strerror}") from None
    print(path)
