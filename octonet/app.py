"""The composition root: the only module that knows every room. Settings in, a running node out."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from pathlib import Path

import transports
from commands import COMMANDS
from commands.engine.framer import Framer
from commands.engine.frames import FrameCodec
from commands.engine.lane import Lane, Parts
from commands.engine.outcomes import Waiting
from jetstream.command_stream import JetStreamCommands
from jetstream.connection import Connection, connect
from jetstream.endpoint import Endpoint
from jetstream.fact_message import FactSpeller
from jetstream.feed_stream import JetStreamFeed
from jetstream.lease import JetStreamLease
from jetstream.log import JetStreamLog
from jetstream.replies import NatsReplies
from jetstream.topology import StreamLimits, ensure_project
from octonet import dialects
from octonet.access.sealing import AesSealer, project_key
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.gateway import Gateway
from octonet.kernel.catalog import names
from octonet.kernel.errors import Invalid, OctonetError, Unavailable, ValidationError
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.log import Stream
from octonet.kernel.operation import Limits
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse as parse_schema
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from octonet.project import Project, Projects
from octonet.transport import HttpSettings, HttpTransport, load
from projections import QUERIES
from projections.engine.feed import Feed
from projections.engine.fold import Fold
from projections.engine.hub import Hub
from transports.engine.http import Health, HttpHost

log = logging.getLogger("octonet")

_DRAIN = 5.0


class Node:
    """One process of Octonet: a NATS connection, the projects, and, when it works, their lanes."""

    def __init__(self, settings: Settings, client: Connection, worker: bool) -> None:
        self._settings = settings
        self._client = client
        self._worker = worker
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._directory = DataDirectory(settings.data_dir)
        self._tasks: list[asyncio.Task[None]] = []
        self._leases: list[JetStreamLease] = []
        self._lanes: list[Lane] = []
        self._framers: list[Framer] = []
        self._feeds: list[tuple[Feed, JetStreamLog]] = []
        self.failed: str = ""
        """Why a lane stands still, empty while none does."""
        self.schemas = Schemas({})
        self.doors: list[HttpTransport] = []
        self.gateway = Gateway(Projects([]), COMMANDS, QUERIES)

    async def open(self) -> None:
        """Set up streams, tables and lanes. Raises `OctonetError` with a sentence that says what to do."""
        self.schemas = load_schemas(self._settings.schemas_path)
        self.doors = find_doors(self._settings)
        project = await self._open_project(DEFAULT_PROJECT, self.schemas)
        self.gateway = Gateway(Projects([project]), COMMANDS, QUERIES, self._settings.command_timeout)

    async def owned(self) -> None:
        """Wait until every lane of this worker is owned and caught up."""
        for lane in self._lanes:
            await lane.owned.wait()

    @property
    def ready(self) -> bool:
        """Whether writes and reads are served: NATS is connected, and no lane stands still."""
        return self._client.is_connected and not self.failed

    async def close(self) -> None:
        """Record what is queued, give up the lanes, release everything."""
        for framer in self._framers:
            await framer.drain()
        for feed, log_stream in self._feeds:
            await _drained(feed, log_stream)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lease in self._leases:
            await lease.release()
        for project in self.gateway.projects():
            await project.hub.close()
            await project.database.close()
        await self._client.close()

    async def _open_project(self, name: ProjectName, schemas: Schemas) -> Project:
        settings = self._settings
        limits = StreamLimits(replicas=settings.nats_replicas)
        database, _ = await asyncio.gather(self._open_database(schemas), ensure_project(self._client, name, limits))
        sealer = AesSealer(project_key(self._directory.keys, name))
        log_stream = JetStreamLog(self._client, name)
        commands = JetStreamCommands(self._client, name)
        waiting = Waiting()
        replies = NatsReplies(self._client, self._name)
        await replies.listen(waiting.tell)
        framer = Framer(commands, waiting, replies.subject, commands.largest, _now)
        self._framers.append(framer)
        fold = Fold(log_stream, database, schemas, sealer)
        shown: Stream = log_stream
        if self._worker:
            lease = JetStreamLease(self._client, name, self._name)
            codec = FrameCodec(COMMANDS.values(), _now)
            parts = Parts(
                name, schemas, database, commands, log_stream, lease, replies, waiting, sealer, fold, codec, self._name
            )
            lane = Lane(parts)
            self._leases.append(lease)
            shown = lane.shown
            public = JetStreamFeed(self._client, name)
            feed = Feed(shown, public, FactSpeller(name, schemas.digest), lane.owned)
            self._start(lane, feed, log_stream)
        return Project(
            name,
            schemas,
            database,
            settings.dialect,
            framer,
            fold,
            Hub(name, schemas, shown),
            sealer,
            Limits(settings.default_page, settings.maximum_page),
        )

    def _start(self, lane: Lane, feed: Feed, log_stream: JetStreamLog) -> None:
        self._lanes.append(lane)
        self._feeds.append((feed, log_stream))
        for name, work in (("lane", lane.run()), ("feed", feed.run())):
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Lane and feed run for ever. One that ended found history missing, or a fault of ours: going on would make
        the database a fold of something else, so it stands still, and health says so."""
        if task.cancelled():
            return
        problem = task.exception()
        self.failed = str(problem)
        log.critical("ALARM: the %s stands still: %s", task.get_name(), problem, exc_info=problem)

    async def _open_database(self, schemas: Schemas) -> Database:
        settings = self._settings
        options = DatabaseOptions(settings.pool_size, settings.query_timeout, settings.table_prefix, settings.show_sql)
        try:
            strategy = Strategy(settings.schema_strategy)
        except ValueError:
            raise Invalid(f"DB_SCHEMA_STRATEGY {settings.schema_strategy!r} is none of {', '.join(Strategy)}") from None
        database = await dialects.find(settings.dialect).open(settings.database_uri(), schemas, options)
        await database.migrate(schemas, strategy)
        return database


def load_schemas(paths: str) -> Schemas:
    """The entities of every file named (directories: their `*.json`). Raises `ValidationError` with every fault."""
    files: list[Path] = []
    for name in (part.strip() for part in paths.split(",") if part.strip()):
        path = Path(name)
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise Invalid(f"SCHEMAS_PATH {paths!r} names no schema file")
    texts: list[str] = []
    for path in files:
        try:
            texts.append(path.read_text().strip())
        except OSError as problem:
            raise Invalid(f"the schema file {path} cannot be read: {problem.strerror}") from None
    if len(texts) == 1:
        return parse_schema(texts[0])
    for path, text in zip(files, texts, strict=True):
        if not (text.startswith("[") and text.endswith("]")):
            raise ValidationError(f"{path}: a schema file is a JSON array of entities", code="INVALID_SCHEMA")
    inner = (text[1:-1].strip() for text in texts)
    return parse_schema("[" + ",".join(text for text in inner if text) + "]")


class Doors:
    """The HTTP doors of a node, on one port."""

    def __init__(self, settings: Settings, node: Node) -> None:
        self._node = node
        origins = [origin.strip() for origin in settings.cors_origin.split(",") if origin.strip()]
        self._host = HttpHost(lambda name: name in node.gateway.projects(), self._health, origins, settings.max_body)
        for door in node.doors:
            for prefix, handler in door.mount(node.gateway, _http_settings(settings, door)).items():
                self._host.mount(prefix, handler)

    async def open(self, host: str, port: int) -> int:
        """Listen; returns the port."""
        return await self._host.start(host, port)

    async def close(self, grace: float) -> None:
        """End streams with a reason, let requests finish for `grace` seconds."""
        for door in self._node.doors:
            await door.close()
        await self._host.stop(grace)

    def _health(self, name: ProjectName) -> Health:
        project = self._node.gateway.project(name)
        return Health(self._node.ready, tuple(door.name for door in self._node.doors), tuple(project.schemas.entities))


def find_doors(settings: Settings) -> list[HttpTransport]:
    """The HTTP doors that exist and are not switched off."""
    return [load(name) for name in names(transports.__path__) if settings.transports.get(name, True)]


def _http_settings(settings: Settings, door: HttpTransport) -> HttpSettings:
    return HttpSettings(
        settings.paths.get(door.name, door.default_path), settings.max_body, settings.heartbeat, settings.max_buffer
    )


async def open_node(settings: Settings, endpoint: Endpoint, worker: bool) -> Node:
    """Connect and open. Raises `OctonetError`."""
    client = await connect(endpoint)
    node = Node(settings, client, worker)
    try:
        await node.open()
    except OctonetError:
        await client.close()
        raise
    return node


async def _drained(feed: Feed, log_stream: JetStreamLog) -> None:
    """Wait a moment for the facts of the last entries to be public; the next owner would publish them otherwise."""
    if not feed.running:
        return
    try:
        last = await log_stream.last()
        async with asyncio.timeout(_DRAIN):
            while feed.reached < last:
                await asyncio.sleep(0.01)
    except (TimeoutError, Unavailable) as problem:
        log.info("the last facts are left to the next owner: %s", problem or "they took too long")


def _now() -> int:
    return time.time_ns() // 1_000_000
