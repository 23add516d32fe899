"""One project as this process serves it: ports to its streams at once, its database as soon as that can be reached,
and then, in a worker, its lane."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from functools import partial

import msgspec

from commands import COMMANDS
from commands.engine.ahead import Ahead
from commands.engine.framer import Framer
from commands.engine.frames import FrameCodec
from commands.engine.lane import Lane, Parts
from commands.engine.outcomes import Waiting, told_again
from jetstream.command_stream import JetStreamCommands
from jetstream.connection import Connection
from jetstream.dead_letters import JetStreamDeadLetters
from jetstream.fact_message import FactSpeller
from jetstream.feed_stream import JetStreamFeed
from jetstream.lease import JetStreamLease
from jetstream.log import JetStreamLog
from jetstream.owners import Owners
from jetstream.replies import NatsReplies
from jetstream.topology import StreamLimits, ensure_project
from octonet import dialects
from octonet.access.idempotency import Idempotency
from octonet.access.notary import CheckpointFile, Notary
from octonet.access.sealing import AesSealer, derived, project_key
from octonet.away import AwayDatabase, AwayIntake
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import Conflict, OctonetError, Unavailable
from octonet.kernel.ids import CommandId, ProjectName
from octonet.kernel.log import Outcome, Stream
from octonet.kernel.operation import Limits
from octonet.kernel.position import Positions
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from octonet.project import Project
from octonet.projects_tree import ProjectSettings
from octonet.worker import Post, Worker
from projections.engine.feed import Feed
from projections.engine.fold import Fold
from projections.engine.hub import Hub

log = logging.getLogger("octonet")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 2.0
_LAST_FRAMES = 1.0
_ANSWERS_WITHIN = 2.0


class Surroundings(msgspec.Struct, frozen=True):
    """What all projects of a process share."""

    settings: Settings
    client: Connection
    process: str
    """The process's name among all."""
    owners: Owners
    worker: Worker | None
    """None in a process that only serves doors."""
    migrates: bool
    """Whether tables are made to fit here; else they are awaited."""


class Served:
    """A project from the start of this process to its end. `put` is given the project whenever it changes."""

    def __init__(self, around: Surroundings, project: ProjectSettings, put: Callable[[Project], None]) -> None:
        self._around = around
        self._project = project
        self._put = put
        self.name = project.name
        self.away = ""
        """Why the database cannot be reached; empty while it can."""
        self.failed = ""
        """Why the lane stands still; empty while it does not."""
        self._waiting = Waiting()
        self._framer: Framer | None = None
        self._database: Database = AwayDatabase()
        self._hub: Hub | None = None
        self._awaiting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Serve the project, or await its database. Raises `OctonetError` for what waiting does not mend."""
        around, project = self._around, self._project
        client, name = around.client, project.name
        limits = self._limits = _limits(around.settings)
        opening = asyncio.create_task(self._open_database())
        try:
            await ensure_project(client, name, limits)
        finally:
            found = (await asyncio.gather(opening, return_exceptions=True))[0]
        key = project_key(DataDirectory(around.settings.data_dir).keys, name)
        self._sealer, self._positions = AesSealer(key), Positions(name, derived(key, "positions"))
        self._idempotency = Idempotency(derived(key, "idempotency"))
        self._log = JetStreamLog(client, name)
        self._commands = JetStreamCommands(client, name)
        self._replies = NatsReplies(client, f"{around.process}.{name}")
        await self._replies.listen(self._waiting.tell)
        self._ahead = Ahead(self._commands)
        self._framer = Framer(self._ahead, self._waiting, self._replies.subject, self._commands.largest, now)
        if isinstance(found, BaseException):
            if not isinstance(found, OctonetError) or not self._passes(found):
                raise found
            self._is_away(found)
        else:
            self._arrived(found)

    async def answers(self) -> bool:
        """Whether the database does."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await self._database.checkpoint()
        except (OctonetError, TimeoutError) as problem:
            log.warning("project %s: %s", self.name, self.away or problem or "the database does not answer")
            return False
        return True

    async def drain(self) -> None:
        """Record what is queued."""
        if self._framer is not None:
            try:
                async with asyncio.timeout(_LAST_FRAMES):
                    await self._framer.drain()
            except TimeoutError:
                log.warning("project %s: some commands could not be recorded any more", self.name)

    async def close(self) -> None:
        """Release everything but the lane."""
        if self._awaiting is not None:
            self._awaiting.cancel()
            await asyncio.gather(self._awaiting, return_exceptions=True)
        if self._hub is not None:
            await self._hub.close()
        await self._waiting.close()
        await self._database.close()

    def _is_away(self, problem: OctonetError) -> None:
        self.away = problem.message
        log.warning("project %s waits for its database: %s", self.name, problem)
        # Nobody listens before there is a lane here or elsewhere: the log is followed where it lies.
        self._put(self._assembled(AwayDatabase(), Hub(self._positions, self._project.schemas, self._log)))
        self._awaiting = asyncio.create_task(self._await_database(), name=f"database of project {self.name}")

    async def _await_database(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                database = await self._open_database()
            except OctonetError as problem:
                if problem.message != self.away:
                    self.away = problem.message
                    log.warning("project %s still waits for its database: %s", self.name, problem)
            else:
                before = self._hub
                self._arrived(database)
                if before is not None:
                    # Whoever listened meanwhile joins again, and is served from memory where this worker owns the lane.
                    await before.close("the stream of facts moved")
                log.info("project %s: its database is there", self.name)
                return

    def _arrived(self, database: Database) -> None:
        around, schemas = self._around, self._project.schemas
        self.away, self._database = "", database
        fold = Fold(self._log, database, schemas, self._sealer)
        self._waiting.ask = partial(_decided, database, fold)
        shown: Stream = self._log
        if around.worker is not None:
            lane, post = self._post(around.worker, database, fold)
            shown = lane.shown
            around.worker.add(post, self._stands_still)
        self._put(self._assembled(database, Hub(self._positions, schemas, shown)))

    def _post(self, worker: Worker, database: Database, fold: Fold) -> tuple[Lane, Post]:
        around, schemas, name = self._around, self._project.schemas, self.name
        lease = JetStreamLease(
            around.client, name, around.process, around.owners, lambda: worker.spread.patience(self.name)
        )
        parts = Parts(
            name,
            schemas,
            database,
            self._commands,
            self._ahead,
            self._log,
            lease,
            self._replies,
            self._waiting,
            self._sealer,
            fold,
            FrameCodec(COMMANDS.values(), now),
            around.process,
            JetStreamDeadLetters(around.client, name, self._limits),
        )
        lane = Lane(parts)
        public = JetStreamFeed(around.client, self._positions)
        feed = Feed(lane.shown, public, FactSpeller(self._positions, schemas.digest), lane.owned)
        vouched = CheckpointFile(
            DataDirectory(around.settings.data_dir).checkpoint(name), notary(around.settings, name)
        )
        return lane, Post(name, lane, feed, self._log, lease, vouched)

    def _assembled(self, database: Database, hub: Hub) -> Project:
        settings, project = self._around.settings, self._project
        assert self._framer is not None
        self._hub = hub
        return Project(
            project.name,
            project.schemas,
            database,
            project.dialect,
            AwayIntake() if isinstance(database, AwayDatabase) else self._framer,
            Fold(self._log, database, project.schemas, self._sealer),
            hub,
            self._sealer,
            self._positions,
            self._idempotency,
            Limits(settings.default_page, settings.maximum_page),
        )

    async def _open_database(self) -> Database:
        return await open_database(self._around.settings, self._project, self._strategy())

    def _strategy(self) -> Strategy:
        strategy, around = self._project.strategy, self._around
        if strategy is Strategy.NONE:
            return strategy
        if not around.migrates:
            return Strategy.VALIDATE
        if strategy in (Strategy.CREATE, Strategy.CREATE_DROP) and around.owners.of(self.name):
            log.warning("project %s is being served: its tables are not dropped, but brought up to date", self.name)
            return Strategy.UPDATE
        return strategy

    def _passes(self, problem: OctonetError) -> bool:
        """Whether this may be over after a while: a database that comes, or tables that another process makes."""
        return isinstance(problem, Unavailable) or (isinstance(problem, Conflict) and not self._around.migrates)

    def _stands_still(self, reason: str) -> None:
        """The first reason is the one that tells."""
        if not self.failed:
            self.failed = reason
            trouble = f"nothing can be written to project {self.name}: {reason}"
            self._waiting.stand_still(Unavailable(trouble, code="HISTORY_DAMAGED"))


async def open_database(settings: Settings, project: ProjectSettings, strategy: Strategy) -> Database:
    """The project's database, with its tables as `strategy` wants them. Raises `OctonetError`."""
    options = DatabaseOptions(project.pool_size, settings.query_timeout, project.table_prefix, project.show_sql)
    database = await dialects.find(project.dialect).open(project.uri, project.schemas, options)
    try:
        await database.migrate(project.schemas, strategy)
    except OctonetError:
        await database.close()
        raise
    return database


async def _decided(database: Database, history: Fold, commands: Collection[CommandId]) -> list[Outcome]:
    """What became of those of the commands that are decided."""
    entries = {id: await database.recall(id) for id in commands}
    return await told_again(history, {id: entry for id, entry in entries.items() if entry is not None})


def _limits(settings: Settings) -> StreamLimits:
    """How large streams may be: on a server of our own they share what it may store."""
    limits = StreamLimits(replicas=settings.nats_replicas)
    return limits if settings.nats_url else limits.within(settings.nats_max_store)


def notary(settings: Settings, project: ProjectName) -> Notary:
    """Who signs for a project's log."""
    return Notary(project, derived(project_key(DataDirectory(settings.data_dir).keys, project), "notary"))


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
