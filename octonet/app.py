"""The composition root: the only module that knows every room. Settings in, a running node out."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from commands import COMMANDS
from jetstream.bus import NatsBus
from jetstream.connection import Connection, connect
from jetstream.counters import Counters
from jetstream.endpoint import Endpoint
from jetstream.monitors import Monitors
from jetstream.owners import Owners
from jetstream.topology import StreamLimits, ensure_shared
from jetstream.workers import Workers
from octonet.access.origin import networks
from octonet.access.system_facts import SystemFacts
from octonet.admin.doors.live_log import LiveLogDoor
from octonet.admin.doors.performance import PerformanceDoor
from octonet.admin.pace import Paces
from octonet.admin.system import SystemProject
from octonet.config import Settings
from octonet.door_catalog import find_doors, http_settings, listen_settings
from octonet.gateway import Gateway
from octonet.identity import Identity
from octonet.kernel.errors import Invalid, NotFound, OctonetError, StorageUnavailable, Unavailable
from octonet.kernel.figures import Family
from octonet.kernel.ids import DEFAULT_PROJECT, SYSTEM_PROJECT, ProjectName, is_private
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Strategy
from octonet.project import Projects
from octonet.project_files import load_projects, system_of
from octonet.projects_tree import ProjectSettings
from octonet.serving.figures import Figures
from octonet.serving.observation import Observation
from octonet.serving.playground import Playground
from octonet.serving.registry import Registry
from octonet.serving.scrubber import Scrubber
from octonet.serving.storage import open_database
from octonet.serving.stored_projects import stored_projects
from octonet.serving.surroundings import Surroundings
from octonet.serving.worker import Worker
from octonet.sources import SourcesByProject
from octonet.transport import HttpDoor, HttpTransport, ListeningTransport
from projections import QUERIES
from transports.engine.caller import project_of
from transports.engine.encryption import server_context
from transports.engine.health import Health
from transports.engine.http import HttpHost
from transports.engine.throttle import Throttle
from transports.engine.traffic import Traffic
from transports.engine.turnstile import Turnstile

if TYPE_CHECKING:
    from octonet.tracing import Tracing

log = logging.getLogger("octonet")

_LOOK = 0.02
_OWNED_WITHIN = 10.0
"""Seconds that the doors wait for the lanes at a start: whoever writes sooner waits a little."""


class Node:
    """One process of Octonet: a NATS connection, the projects, and, when it works, their lanes.

    `files` are all projects that settings and tree name, the system project among them; `only`: serve just these and
    the system project; None for all.
    """

    def __init__(
        self,
        settings: Settings,
        endpoint: Endpoint,
        client: Connection,
        files: Sequence[ProjectSettings],
        worker: bool,
        migrates: bool,
        only: frozenset[ProjectName] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self._client = client
        self._files = files
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._owners = Owners(client)
        self._worker = Worker(Workers(client, self.name)) if worker else None
        self._projects = Projects([])
        self.trace = _tracing(settings, self.name)
        sources = SourcesByProject()
        around = Surroundings(settings, client, self.name, self._owners, self._worker, migrates, sources, self.trace)
        self.registry = Registry(around, files, self._projects, only, lambda: self.owns(SYSTEM_PROJECT))
        self._roster = self.registry.roster
        self.doors: list[HttpTransport] = find_doors(settings)
        counters = Counters(client, StreamLimits(replicas=settings.nats_replicas))
        self.identity = Identity(settings, self._projects, system_of(files).schemas, counters.add)
        self.gateway = Gateway(self._projects, COMMANDS, QUERIES, settings.command_timeout, gate=self.identity.gate)
        self.traffic, self.throttle = Traffic(self.gateway.serves), Throttle()
        urls = [url.strip() for url in settings.nats_monitor_urls.split(",") if url.strip()]
        monitors = Monitors(
            urls, Endpoint("", ca=settings.nats_ca, certificate=settings.nats_cert, key=settings.nats_key)
        )
        self._scrubber = Scrubber(client, lambda: self.owns(SYSTEM_PROJECT), settings.scrub_every, monitors)
        figures = Figures(client, self.name, self._roster, self._worker, self._own_figures)
        self.observation = Observation(client, figures, self.traffic, self.throttle, settings.pool_size)
        self._playground: Playground | None = None
        self._following: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Set up streams, tables and lanes. Raises `OctonetError` with a sentence that says what to do."""
        await ensure_shared(self._client, StreamLimits(replicas=self._settings.nats_replicas))
        await self._owners.open([project.name for project in self._files])
        if self._worker is not None:
            await self._worker.open()
        await self.registry.open(self.gateway)
        self.identity.begin(self.gateway)
        await self.observation.open()
        await self._scrubber.open()
        listeners = [self.identity.listener, self.registry, self.observation]
        facts = SystemFacts(lambda: self._projects.get(SYSTEM_PROJECT).hub, listeners)
        following = [
            facts.run(),
            self._scrubber.run(),
            self.registry.run(lambda: facts.reached),
            self.observation.run(Paces(SystemProject(self.gateway)), lambda: self.registry.reach(facts.reached)),
        ]
        if self._settings.trial_enabled and not self._settings.open_mode:
            self._playground = Playground(
                self._settings,
                SystemProject(self.gateway),
                self.registry.projects,
                self.registry.places,
                self.identity.api_keys(self.gateway),
                lambda: self.owns(SYSTEM_PROJECT),
            )
            following.append(self._playground.run())
        self._following = [asyncio.create_task(work) for work in following]

    def office(self) -> Mapping[str, HttpDoor]:
        """The doors for those who see to keys, people and projects: path prefix → door."""
        office = self.identity.office(self.gateway, self.registry.projects.owned)
        trial = {} if self._playground is None else self._playground.doors()
        paces = Paces(SystemProject(self.gateway))
        seen = {
            **PerformanceDoor(self.observation, paces, office.let_in, office.authority).mount(),
            **LiveLogDoor(self.observation.watch, office.let_in, office.authority).mount(),
        }
        return {**office.doors, **self.registry.doors(office, project_of), **seen, **trial}

    def bus(self) -> NatsBus:
        """A connection to the message bus, not yet made."""
        return NatsBus(self._endpoint)

    def schemas(self, project: ProjectName) -> Schemas:
        """The entities of a project. Raises `NotFound` with code UNKNOWN_PROJECT."""
        return self._projects.get(project).schemas

    def public(self) -> list[ProjectName]:
        """The projects that this process serves, but for private ones."""
        return sorted(served.name for served in self._roster if not is_private(served.name))

    async def owned(self) -> None:
        """Wait until every lane of this worker is owned and caught up. Raises `StorageUnavailable` when a database
        cannot be reached."""
        for served in self._roster:
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
                    not (served.away or served.failed or self._has_owner(served.name)) for served in self._roster
                ):
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            log.warning("nobody owns %s yet", ", ".join(self.unowned()))

    def owns(self, project: ProjectName) -> bool:
        """Whether this process decides the project's commands."""
        return self._worker is not None and self._worker.owns(project)

    def unowned(self) -> list[ProjectName]:
        """The projects whose commands wait for a worker."""
        return [served.name for served in self._roster if not self._has_owner(served.name)]

    def away(self) -> dict[str, str]:
        """The projects whose database cannot be reached, and why."""
        return {str(served.name): served.away for served in self._roster if served.away}

    async def health(self, name: ProjectName) -> Health:
        """How a project is: ready when NATS is connected, its database answers, and its lane does not stand still."""
        project, served = self._projects.get(name), self._roster.find(name)
        # In words of our own: whoever asks has no business with addresses.
        if not self._client.is_connected:
            reason = "NATS is not connected"
        elif served is None or not await served.answers():
            reason = "the database is not available"
        else:
            reason = served.failed
        doors = tuple(door.name for door in self.doors)
        seen = [served.name for served in self._roster] if name == DEFAULT_PROJECT else [name]
        unowned = tuple(other for other in seen if not self._has_owner(other))
        damaged = tuple(one for one in self._scrubber.damaged if name in (DEFAULT_PROJECT, one.project))
        return Health(not reason, doors, tuple(project.schemas.entities), reason, unowned, damaged)

    async def ready(self, name: ProjectName) -> bool:
        """The same, in a word."""
        return (await self.health(name)).ready

    async def close(self) -> None:
        """Record what is queued, give up the lanes, release everything."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await self.observation.close()
        await self.registry.close()
        await self.identity.close()
        await self._roster.drain()
        if self._worker is not None:
            await self._worker.close()
        await self._roster.close()
        await self._client.close()
        if self.trace is not None:
            # In a thread: a collector that does not answer is waited for.
            await asyncio.to_thread(self.trace.close)

    def _own_figures(self) -> list[Family]:
        return [*self.traffic.families(), *self.registry.figures(), *self._scrubber.families()]

    def _has_owner(self, project: ProjectName) -> bool:
        owner = self._owners.of(project)
        return self.owns(project) or owner not in ("", self.name)


class Doors:
    """The doors of a node: those of HTTP on one port, and those that listen elsewhere."""

    def __init__(self, settings: Settings, node: Node) -> None:
        self._settings = settings
        self._node = node
        self._turnstile = Turnstile(node.traffic, node.throttle, node.trace)
        origins = [origin.strip() for origin in settings.cors_origin.split(",") if origin.strip()]
        self._host = HttpHost(
            node.gateway.serves,
            node.health,
            origins,
            settings.max_body,
            networks(settings.trusted_proxies),
            node.traffic,
            node.throttle,
            node.trace,
            settings.log_requests,
            server_context(settings.tls_cert, settings.tls_key),
        )
        for door in node.doors:
            for prefix, handler in door.mount(node.gateway, http_settings(settings, door)).items():
                self._host.mount(prefix, handler, door.name)
        for prefix, handler in node.office().items():
            self._host.mount(prefix, handler, "office")

    async def open(self, shared: bool = False) -> tuple[int, list[str]]:
        """Listen; returns the port of HTTP and where the other doors are. `shared`: other processes listen there too.
        Raises `Unavailable` where one cannot."""
        settings, node = self._settings, self._node
        port = await self._host.start(settings.host, settings.port, shared)
        elsewhere = [door for door in node.doors if isinstance(door, ListeningTransport)]
        told = [listen_settings(settings, door, self._turnstile, node.ready, shared, node.bus) for door in elsewhere]
        return port, [await door.listen(node.gateway, one) for door, one in zip(elsewhere, told, strict=True)]

    async def close(self, grace: float) -> None:
        """Accept nothing more, end streams with a reason, let requests finish for up to `grace` seconds."""
        ending = [asyncio.create_task(door.close()) for door in self._node.doors]
        waiting = asyncio.wait(ending, timeout=grace) if ending else asyncio.sleep(0)
        await asyncio.gather(self._host.stop(grace), waiting)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


def _tracing(settings: Settings, process: str) -> Tracing | None:
    """Raises `Unavailable` with code TRACES_NOT_INSTALLED, `Invalid`."""
    if not settings.traces_url:
        return None
    if not 0 <= settings.traces_share <= 1:
        raise Invalid("OCTONET_TRACES_SHARE is a share of the requests, from 0 to 1")
    if importlib.util.find_spec("opentelemetry") is None:
        sentence = "traces need more to be installed: pip install 'octonet[traces]'"
        raise Unavailable(sentence, code="TRACES_NOT_INSTALLED")
    from octonet.tracing import Tracing  # noqa: PLC0415  # heavy, and for most not there

    return Tracing(settings.traces_url, settings.traces_share, process)


async def open_node(
    settings: Settings,
    endpoint: Endpoint,
    worker: bool,
    files: Sequence[ProjectSettings] | None = None,
    migrates: bool | None = None,
    only: Collection[ProjectName] | None = None,
) -> Node:
    """Connect and open. `files`: all that the settings name, unless they were read already; `only` as in `Node`. A node
    that does not work makes no tables, unless told to. Raises `OctonetError`."""
    found = load_projects(settings) if files is None else files
    client = await connect(endpoint)
    chosen = None if only is None else frozenset(only)
    node = Node(settings, endpoint, client, found, worker, worker if migrates is None else migrates, chosen)
    try:
        await node.open()
        _check_there(node, chosen)
    except OctonetError:
        await node.close()
        raise
    return node


def _check_there(node: Node, wanted: frozenset[ProjectName] | None) -> None:
    unknown = sorted(name for name in wanted or () if not is_private(name) and name not in node.public())
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise NotFound(f"there is no project {names}; there are {', '.join(node.public())}", code="UNKNOWN_PROJECT")


async def migrate(settings: Settings, files: Sequence[ProjectSettings]) -> None:
    """Make all tables fit, once for several processes; a database that is away is left to them. Raises
    `OctonetError`."""
    system = system_of(files)
    await _migrate(settings, system)
    for project in await stored_projects(settings, files):
        if project.name != SYSTEM_PROJECT and not project.hold:
            await _migrate(settings, project)


async def _migrate(settings: Settings, project: ProjectSettings) -> None:
    if project.strategy is Strategy.CREATE_DROP:
        raise Invalid(f"project {project.name}: create-drop is for a single process: several would drop each other")
    try:
        database = await open_database(settings, project, project.strategy)
    except StorageUnavailable as problem:
        log.warning("project %s: its tables are seen to later: %s", project.name, problem)
    else:
        await database.close()
