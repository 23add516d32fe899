"""The composition root: the only module that knows every room. Settings in, a running node out."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Sequence

import transports
from commands import COMMANDS
from jetstream.connection import Connection, connect
from jetstream.endpoint import Endpoint
from jetstream.owners import Owners
from jetstream.topology import StreamLimits, ensure_shared
from jetstream.workers import Workers
from octonet.access.gate import OPEN
from octonet.config import Settings
from octonet.gateway import Gateway
from octonet.identity import Identity
from octonet.kernel.catalog import names
from octonet.kernel.errors import Invalid, OctonetError, StorageUnavailable, Unavailable
from octonet.kernel.ids import DEFAULT_PROJECT, SYSTEM_PROJECT, ProjectName
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Strategy
from octonet.project import Projects
from octonet.project_files import load_projects
from octonet.projects_tree import ProjectSettings
from octonet.served import Served, Surroundings, open_database
from octonet.transport import HttpSettings, HttpTransport, load
from octonet.worker import Worker
from projections import QUERIES
from transports.engine.health import Health
from transports.engine.http import HttpHost

log = logging.getLogger("octonet")

_LOOK = 0.02
_AT_ONCE = 16
"""Projects that are opened at the same time."""
_OWNED_WITHIN = 10.0
"""Seconds that the doors wait for the lanes at a start: whoever writes sooner waits a little."""


class Node:
    """One process of Octonet: a NATS connection, the projects, and, when it works, their lanes."""

    def __init__(
        self, settings: Settings, client: Connection, projects: Sequence[ProjectSettings], worker: bool, migrates: bool
    ) -> None:
        self._settings = settings
        self._client = client
        self._specified = projects
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._owners = Owners(client)
        self._worker = Worker(Workers(client, self.name)) if worker else None
        around = Surroundings(settings, client, self.name, self._owners, self._worker, migrates)
        self._projects = Projects([])
        self._served = {project.name: Served(around, project, self._projects.put) for project in projects}
        self.doors: list[HttpTransport] = find_doors(settings)
        system = next((project for project in projects if project.name == SYSTEM_PROJECT), None)
        self.identity = None if system is None else Identity(settings, self._projects, system.schemas)
        """None where keys are not looked at."""
        gate = OPEN if self.identity is None else self.identity.gate
        self.gateway = Gateway(self._projects, COMMANDS, QUERIES, settings.command_timeout, gate=gate)

    async def open(self) -> None:
        """Set up streams, tables and lanes. Raises `OctonetError` with a sentence that says what to do."""
        await ensure_shared(self._client, StreamLimits(replicas=self._settings.nats_replicas))
        await self._owners.open(self._served)
        if self._worker is not None:
            await self._worker.open()
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(served: Served) -> None:
            async with room:
                await served.open()

        # All are tried to the end: a database that is slow to refuse holds up nobody, and nothing is left half open.
        for found in await asyncio.gather(*map(one, self._served.values()), return_exceptions=True):
            if isinstance(found, BaseException):
                raise found
        if self.identity is not None:
            self.identity.begin(self.gateway)

    def schemas(self, project: ProjectName) -> Schemas:
        """The entities of a project. Raises `NotFound` with code UNKNOWN_PROJECT."""
        return self._projects.get(project).schemas

    async def owned(self) -> None:
        """Wait until every lane of this worker is owned and caught up. Raises `StorageUnavailable` when a database
        cannot be reached."""
        for served in self._served.values():
            while served.away or (self._worker is not None and not self.owns(served.name)):
                if served.away:
                    raise StorageUnavailable(f"project {served.name}: {served.away}")
                if served.failed:
                    raise Unavailable(f"project {served.name}: {served.failed}", code="HISTORY_DAMAGED")
                await asyncio.sleep(_LOOK)

    async def settled(self, stop: asyncio.Event) -> None:
        """Wait a while, or until told to stop, for every lane to have an owner, here or elsewhere, as far as its
        database is there."""
        try:
            async with asyncio.timeout(_OWNED_WITHIN):
                while not stop.is_set() and any(
                    not (served.away or served.failed or self._has_owner(name)) for name, served in self._served.items()
                ):
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            log.warning("nobody owns %s yet", ", ".join(self.unowned()))

    def owns(self, project: ProjectName) -> bool:
        """Whether this process decides the project's commands."""
        return self._worker is not None and self._worker.owns(project)

    def unowned(self) -> list[ProjectName]:
        """The projects whose commands wait for a worker."""
        return [name for name in self._served if not self._has_owner(name)]

    def away(self) -> dict[str, str]:
        """The projects whose database cannot be reached, and why."""
        return {str(name): served.away for name, served in self._served.items() if served.away}

    async def health(self, name: ProjectName) -> Health:
        """How a project is: ready when NATS is connected, its database answers, and its lane does not stand still."""
        project, served = self._projects.get(name), self._served[name]
        # In words of our own: whoever asks has no business with addresses.
        if not self._client.is_connected:
            reason = "NATS is not connected"
        elif not await served.answers():
            reason = "the database is not available"
        else:
            reason = served.failed
        doors = tuple(door.name for door in self.doors)
        seen = self._served if name == DEFAULT_PROJECT else (name,)
        unowned = tuple(other for other in seen if not self._has_owner(other))
        return Health(not reason, doors, tuple(project.schemas.entities), reason, unowned)

    async def close(self) -> None:
        """Record what is queued, give up the lanes, release everything."""
        if self.identity is not None:
            await self.identity.close()
        await asyncio.gather(*(served.drain() for served in self._served.values()))
        if self._worker is not None:
            await self._worker.close()
        for served in self._served.values():
            await served.close()
        await self._client.close()

    def _has_owner(self, project: ProjectName) -> bool:
        owner = self._owners.of(project)
        return self.owns(project) or owner not in ("", self.name)


class Doors:
    """The HTTP doors of a node, on one port."""

    def __init__(self, settings: Settings, node: Node) -> None:
        self._node = node
        origins = [origin.strip() for origin in settings.cors_origin.split(",") if origin.strip()]
        self._host = HttpHost(node.gateway.serves, node.health, origins, settings.max_body)
        for door in node.doors:
            for prefix, handler in door.mount(node.gateway, _http_settings(settings, door)).items():
                self._host.mount(prefix, handler)
        if node.identity is not None:
            for prefix, handler in node.identity.office(node.gateway).items():
                self._host.mount(prefix, handler)

    async def open(self, host: str, port: int, shared: bool = False) -> int:
        """Listen; returns the port. `shared`: other processes listen on it too."""
        return await self._host.start(host, port, shared)

    async def close(self, grace: float) -> None:
        """Accept nothing more, end streams with a reason, let requests finish for up to `grace` seconds."""
        ending = [asyncio.create_task(door.close()) for door in self._node.doors]
        await self._host.stop(grace)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


def find_doors(settings: Settings) -> list[HttpTransport]:
    """The HTTP doors that exist and are not switched off."""
    return [load(name) for name in names(transports.__path__) if settings.transports.get(name, True)]


def _http_settings(settings: Settings, door: HttpTransport) -> HttpSettings:
    return HttpSettings(settings.paths.get(door.name, door.default_path), settings.heartbeat, settings.max_buffer)


async def open_node(
    settings: Settings,
    endpoint: Endpoint,
    worker: bool,
    projects: Sequence[ProjectSettings] | None = None,
    migrates: bool | None = None,
) -> Node:
    """Connect and open. `projects`: all that the settings name, unless given. A node that does not work makes no
    tables, unless told to. Raises `OctonetError`."""
    found = load_projects(settings) if projects is None else projects
    client = await connect(endpoint)
    node = Node(settings, client, found, worker, worker if migrates is None else migrates)
    try:
        await node.open()
    except OctonetError:
        await node.close()
        raise
    return node


async def migrate(settings: Settings, projects: Sequence[ProjectSettings]) -> None:
    """Make all tables fit, once for several processes; a database that is away is left to them. Raises
    `OctonetError`."""
    for project in projects:
        if project.strategy is Strategy.CREATE_DROP:
            raise Invalid(f"project {project.name}: create-drop is for a single process: several would drop each other")
        try:
            database = await open_database(settings, project, project.strategy)
        except StorageUnavailable as problem:
            log.warning("project %s: its tables are seen to later: %s", project.name, problem)
        else:
            await database.close()
