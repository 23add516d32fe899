"""`octonet serve`: the doors and, in the same process unless told otherwise, the worker."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from textwrap import fill
from typing import TYPE_CHECKING

import msgspec

from octonet.cli.engine import broker
from octonet.config import Settings
from octonet.kernel.errors import Invalid, OctonetError, Unavailable

if TYPE_CHECKING:
    from octonet.app import Node
    from octonet.projects_tree import ProjectSettings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EXAMPLES = """\
examples:
  octonet serve                             one process: doors and worker
  octonet serve --processes 4               four of them on one port; one that dies is started anew
  octonet serve --no-worker --port 4489     doors only; some `octonet serve` or `octonet work` does the writing
  octonet serve --projects-tree tree.json   further projects, each at /{project}/… or with X-Project: {project}

SIGTERM or Ctrl-C stops in good order within ten seconds: requests under way are answered, facts published, lanes left
to others. A second one ends at once.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "serve",
        parents=[common],
        help="open the doors and work",
        description=fill(
            "Serve the schema over every door. Without NATS_URL a nats-server of its own is started in the "
            "data directory; without SGBD_URI the rows go to a SQLite file there.",
            100,
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", help="address to listen on (OCTONET_HOST)")
    parser.add_argument("--port", type=int, help="port to listen on (MOSTA_NET_PORT)")
    parser.add_argument(
        "--no-worker",
        action="store_true",
        help="doors only: commands are published and answered, never decided, by this process",
    )
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="processes on the one port, watched by a parent"
    )
    parser.add_argument(
        "--seed",
        action="append",
        default=[],
        metavar="ENTITY=FILE",
        help="load this file on the first start, as `octonet load` would; may be given several times",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    if settings.open_mode and settings.host not in _LOOPBACK:
        raise Invalid(
            f"open mode is for development on this machine alone: it does not listen on {settings.host}. Unset "
            "OCTONET_OPEN_MODE and issue keys (`octonet keys issue`), or listen on 127.0.0.1"
        )
    if settings.open_mode and settings.nats_listen.rpartition(":")[0] not in {"", *_LOOPBACK}:
        raise Invalid(f"open mode does not let others in: OCTONET_NATS_LISTEN is {settings.nats_listen}")
    if arguments.processes < 1:
        raise Invalid("--processes must be 1 or more")
    seeds = [_seed(text) for text in arguments.seed]
    worker = not arguments.no_worker
    with (broker.owned if worker else broker.found_or_owned)(settings) as started:
        # The nats-server starts while these are loaded.
        from octonet.project_files import load_projects  # noqa: PLC0415

        projects = load_projects(settings)
        if arguments.processes > 1:
            return _many(settings, started, projects, worker, arguments.processes, seeds)
        return _one(settings, started, projects, worker, seeds)


def _one(
    settings: Settings,
    started: broker.Started,
    projects: Sequence[ProjectSettings],
    worker: bool,
    seeds: list[tuple[str, str]],
) -> int:
    from octonet.cli.engine.banner import banner, curls  # noqa: PLC0415
    from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415
    from octonet.cli.engine.serving import Serving, serve  # noqa: PLC0415

    def ready(node: Node, port: int, elsewhere: Sequence[str]) -> None:
        doors = [door.name for door in node.doors]
        role = "doors and worker" if worker else "doors only"
        banner(settings, projects, doors, port, role, node.away(), elsewhere)

    async def main() -> int:
        watching = asyncio.create_task(started.watch())
        try:
            what = Serving(settings, projects, worker, worker, False, seeds)
            return await serve(what, started.ready(), ready, lambda port: curls(settings, projects, port))
        finally:
            watching.cancel()

    return run_loop(main())


def _many(
    settings: Settings,
    started: broker.Started,
    projects: Sequence[ProjectSettings],
    worker: bool,
    count: int,
    seeds: list[tuple[str, str]],
) -> int:
    from jetstream.endpoint import plain  # noqa: PLC0415
    from octonet.app import migrate  # noqa: PLC0415
    from octonet.cli.engine.banner import banner, curls  # noqa: PLC0415
    from octonet.cli.engine.loop import run as run_loop  # noqa: PLC0415
    from octonet.cli.engine.serving import Serving, serve  # noqa: PLC0415
    from octonet.cli.engine.supervisor import Supervisor, in_a_child  # noqa: PLC0415
    from octonet.door_catalog import find_doors, ports  # noqa: PLC0415

    endpoint = started.ready()

    async def make_tables() -> int:
        await migrate(settings, projects)
        return 0

    with ExitStack() as reserved:
        port = reserved.enter_context(_reserved(settings.host, settings.port))
        others = {name: reserved.enter_context(_reserved(settings.host, own)) for name, own in ports(settings).items()}
        # In a child: neither threads nor connections are to be in the parent when it forks.
        if worker and (code := in_a_child(lambda: _told(lambda: run_loop(make_tables())))):
            return code

        def work(number: int, ready: Callable[[], None]) -> int:
            own = msgspec.structs.replace(settings, port=port, ports=others)
            what = Serving(own, projects, worker, False, True, seeds if number == 0 else ())
            return _told(lambda: run_loop(serve(what, endpoint, lambda *_: ready(), lambda port: None)))

        def ready() -> None:
            doors = [door.name for door in find_doors(settings)]
            role = f"{count} processes of {'doors and worker' if worker else 'doors only'}"
            elsewhere = [f"{name}://{settings.host}:{own}" for name, own in others.items()]
            elsewhere += [plain(endpoint.public or endpoint.url)] if "nats" in doors else []
            banner(settings, projects, doors, port, role, {}, elsewhere)
            curls(settings, projects, port)

        return Supervisor(work, count, started.look, ready).run()


@contextmanager
def _reserved(host: str, port: int) -> Iterator[int]:
    """A port that all children can listen on. It is bound here and not listened on: no connection comes this way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as holding:
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holding.bind((host, port))
        except OSError as problem:
            raise Unavailable(f"cannot listen on {host}:{port}: {problem.strerror}") from None
        found: int = holding.getsockname()[1]
        yield found


def _told(work: Callable[[], int]) -> int:
    """Run in a child, where nobody else words what went wrong."""
    try:
        return work()
    except OctonetError as problem:
        print(f"octonet: {problem.message}", file=sys.stderr)
        return 1


def _seed(text: str) -> tuple[str, str]:
    entity, separator, file = text.partition("=")
    if not separator or not entity or not file:
        raise Invalid(f"--seed {text!r} is not of the form ENTITY=FILE")
    return entity, file
