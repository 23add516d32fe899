"""One process that serves: from the open port to the drained end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import msgspec

from jetstream.endpoint import Endpoint
from octonet.app import Doors, Node, open_node
from octonet.cli.engine.first_start import first_start
from octonet.cli.engine.loop import settle, stop_signals
from octonet.cli.engine.seeding import seed
from octonet.config import Settings
from octonet.kernel.errors import OctonetError
from octonet.projects_tree import ProjectSettings

_BEGIN_WITHIN = 5.0
_GRACE = 4.5
"""Seconds that requests under way get at the end; what follows takes as long at most, and both ten together."""


class Serving(msgspec.Struct, frozen=True):
    """What one process is to serve. `seeds`: (entity, file) to load on the first start."""

    settings: Settings
    projects: Sequence[ProjectSettings]
    worker: bool
    migrates: bool
    shared_port: bool
    seeds: Sequence[tuple[str, str]] = ()


async def serve(
    what: Serving, endpoint: Endpoint, ready: Callable[[Node, int, Sequence[str]], None], seeded: Callable[[int], None]
) -> int:
    """Until a signal; `ready` hears the port and where else there are doors, `seeded` that every file is loaded.
    Returns the exit code."""
    settings = what.settings
    stop = stop_signals()
    node = await open_node(settings, endpoint, what.worker, what.projects, what.migrates)
    beginning = asyncio.create_task(first_start(node) if what.worker else asyncio.sleep(0))
    try:
        if what.worker:
            await node.settled(stop)
            # Done before anybody can ask, unless something it needs is away.
            await asyncio.wait({beginning}, timeout=_BEGIN_WITHIN)
        doors = Doors(settings, node)
        try:
            port, elsewhere = await doors.open(what.shared_port)
        except OctonetError:
            await doors.close(0)
            raise
        settle()
        ready(node, port, elsewhere)
        seeding = asyncio.create_task(_seed_all(node, what, lambda: seeded(port)))
        try:
            await stop.wait()
            print("stopping: requests are finished, facts published …", flush=True)
        finally:
            seeding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await seeding
            await doors.close(_GRACE)
    finally:
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        await node.close()
    return 0


async def _seed_all(node: Node, what: Serving, seeded: Callable[[], None]) -> None:
    for entity, file in what.seeds:
        await seed(node, what.settings, entity, file)
    seeded()
