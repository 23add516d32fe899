"""One project as this process serves it: ports to its streams at once, its database as soon as that can be reached,
and then, in a worker, its lane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from functools import partial

from commands.engine.outcomes import Waiting, told_again
from jetstream.topology import ensure_project
from octonet.kernel.errors import Conflict, OctonetError, StorageUnavailable, Unavailable
from octonet.kernel.ids import CommandId
from octonet.kernel.log import LogGap, Outcome, Stream
from octonet.kernel.operation import Limits
from octonet.kernel.storage import Database, Strategy
from octonet.project import Intake, Project
from octonet.projects_tree import ProjectSettings
from octonet.serving.away import AwayDatabase, AwayIntake, AwayPast, AwayTrial
from octonet.serving.ports import Ports, open_ports
from octonet.serving.posting import make_post
from octonet.serving.storage import follows, open_as_it_is, open_database
from octonet.serving.surroundings import Surroundings, limits
from octonet.serving.trying import OwnersTrial
from octonet.sources import NO_REPLICAS
from projections.engine.fold import Fold
from projections.engine.hub import Hub

log = logging.getLogger("octonet")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 2.0
_LAST_FRAMES = 1.0
_ANSWERS_WITHIN = 2.0
_LOOK = 0.02
_LAST_READS = 5.0
"""Seconds for reads under way on a database that is not served any more."""
_AWAY = StorageUnavailable("the database of this project is not available at the moment")


class Served:
    """A project for as long as this process serves it. `put` is given the project whenever it changes; `refused` hears
    why the tables cannot be made to fit what the project was changed to."""

    def __init__(
        self,
        around: Surroundings,
        project: ProjectSettings,
        put: Callable[[Project], None],
        refused: Callable[[ProjectSettings, str], None] = lambda project, reason: None,
    ) -> None:
        self._around = around
        self._project = project
        self._put = put
        self._refused = refused
        self.name = project.name
        self.away = ""
        """Why the database cannot be reached, or the project is not served; empty while it is."""
        self.failed = ""
        """Why the lane stands still; empty while it does not."""
        self.current: ProjectSettings | None = None
        """What is served now; None while that is not what was asked for."""
        self._ports: Ports | None = None
        self._database: Database = AwayDatabase(_AWAY)
        self._shown: Project | None = None
        """As it is asked now."""
        self._awaiting: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._running = False
        """Whether the tables are the lane's to make fit: the project came, or changed, while others served."""

    async def open(self) -> None:
        """Serve the project, or await its database. Raises `OctonetError` for what waiting does not mend."""
        around, project = self._around, self._project
        opening = None if project.hold else asyncio.create_task(self._open_database())
        try:
            await ensure_project(around.client, project.name, limits(around.settings, project.name))
            self._ports = await open_ports(around.settings, around.client, around.process, project.name)
        finally:
            found = None if opening is None else (await asyncio.gather(opening, return_exceptions=True))[0]
        if found is None:
            self._is_held()
        elif not isinstance(found, BaseException):
            self._arrived(found)
        elif isinstance(found, OctonetError) and self._passes(found):
            self._is_away(found)
        else:
            raise found

    async def join(self) -> None:
        """As `open`, while others may be serving the project already."""
        self._running = True
        await self.open()

    async def change(self, project: ProjectSettings) -> None:
        """Serve it in this way from now on. Reads are answered as before until the tables fit; writes wait, and none is
        lost."""
        self._running, self.current = True, None
        await self._stop_awaiting()
        if self._around.worker is not None:
            await self._around.worker.remove(self.name)
        self.failed, self._waiting.trouble = "", None
        self._retire()
        self._project = project
        if project.hold:
            self._is_held()
            return
        try:
            database = await self._open_database()
        except OctonetError as problem:
            if not self._passes(problem):
                self._refused(project, problem.message)
            # What was served until now goes on answering reads.
            self._await(problem)
        else:
            self._arrived(database)

    async def answers(self) -> bool:
        """Whether the database does."""
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await (AwayDatabase(_AWAY) if self._shown is None else self._shown.database).checkpoint()
        except (OctonetError, TimeoutError) as problem:
            log.warning("project %s: %s", self.name, self.away or problem or "the database does not answer")
            return False
        return True

    async def drain(self) -> None:
        """Record what is queued."""
        if self._ports is not None:
            try:
                async with asyncio.timeout(_LAST_FRAMES):
                    await self._ports.framer.drain()
            except TimeoutError:
                log.warning("project %s: some commands could not be recorded any more", self.name)

    async def close(self) -> None:
        """Release everything but the lane."""
        await self._stop_awaiting()
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        if self._shown is not None:
            await self._shown.hub.close()
        if self._ports is not None:
            await self._waiting.close()
            await self._ports.replies.close()
            await self._ports.past.close()
        await self._database.close()

    @property
    def waiting(self) -> int:
        """Commands of this process whose outcome is awaited."""
        return 0 if self._ports is None else len(self._ports.waiting)

    @property
    def listening(self) -> int:
        """Who follows the project's facts in this process."""
        return 0 if self._shown is None else self._shown.hub.listening

    @property
    def asked(self) -> ProjectSettings:
        """How it is to be served."""
        return self._project

    @property
    def _waiting(self) -> Waiting:
        return self._open_ports.waiting

    @property
    def _open_ports(self) -> Ports:
        assert self._ports is not None
        return self._ports

    async def _stop_awaiting(self) -> None:
        if self._awaiting is not None:
            self._awaiting.cancel()
            await asyncio.gather(self._awaiting, return_exceptions=True)
            self._awaiting = None

    def _retire(self) -> None:
        """Whoever reads from what was served until now may finish."""
        database, self._database = self._database, AwayDatabase(_AWAY)
        self._beside(self._end(database), f"former database of project {self.name}")

    async def _end(self, database: Database) -> None:
        try:
            while self.current is None:
                await asyncio.sleep(_LOOK)
            await asyncio.sleep(_LAST_READS)
        finally:
            await database.close(kept=True)

    def _show(self, project: Project) -> None:
        before, self._shown = self._shown, project
        self._put(project)
        if before is not None:
            # Whoever listened joins again, and is served from memory where this worker owns the lane.
            self._beside(before.hub.close("the stream of facts moved"), f"former facts of project {self.name}")

    def _beside(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _is_held(self) -> None:
        self.away, self.current = self._project.hold, self._project
        self._put_away(_paused(self._project) if self._project.paused else _AWAY)

    def _is_away(self, problem: OctonetError) -> None:
        self._put_away(_AWAY)
        self._await(problem)

    def _await(self, problem: OctonetError) -> None:
        self.away = problem.message
        log.warning("project %s waits for its database: %s", self.name, problem)
        self._awaiting = asyncio.create_task(self._await_database(), name=f"database of project {self.name}")

    def _put_away(self, problem: Unavailable) -> None:
        # Nobody listens before there is a lane here or elsewhere: the log is followed where it lies.
        ports = self._open_ports
        hub = Hub(ports.positions, self._project.schemas, ports.log)
        self._show(self._assembled(AwayDatabase(problem), hub, AwayIntake(problem)))

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
                self._awaiting = None
                self._arrived(database)
                log.info("project %s: its database is there", self.name)
                return

    def _arrived(self, database: Database) -> None:
        around, project, ports = self._around, self._project, self._open_ports
        self.away, self._database = "", database
        fold = Fold(ports.log, database, project.schemas, ports.sealer)
        self._waiting.ask = partial(_decided, database, fold)
        shown: Stream = ports.log
        if around.worker is not None:
            post = make_post(
                around, around.worker, project, ports, database, partial(self._prepare, database), self._unfit
            )
            shown = post.lane.shown
            around.worker.add(post, self._stands_still)
        found = self._assembled(database, Hub(ports.positions, project.schemas, shown), ports.framer)
        if self._running:
            if self._shown is None:
                self._put_away(_AWAY)
            self._awaiting = asyncio.create_task(self._await_fit(found), name=f"tables of project {self.name}")
        else:
            self._serve(found)

    def _serve(self, project: Project) -> None:
        self.current = self._project
        self._show(project)

    async def _await_fit(self, project: Project) -> None:
        """The worker that owns the lane makes the tables fit, and folds into them what the log holds."""
        end = 0
        while True:
            try:
                end = end or await self._open_ports.log.last()
                mark = await project.database.checkpoint()
                if mark.schema == project.schemas.digest and mark.entry >= end:
                    self._serve(project)
                    return
            except (OctonetError, LogGap) as problem:
                log.debug("project %s does not fit yet: %s", self.name, problem)
            await asyncio.sleep(_LOOK)

    async def _prepare(self, database: Database) -> None:
        """Called by the lane's owner: tables that are there follow the log, see `projections.engine.tables`. A database
        that was killed may have forgotten that they were made."""
        wanted = self._project.strategy
        if wanted in (Strategy.NONE, Strategy.VALIDATE):
            if self._running:
                await database.migrate(self._project.schemas, wanted)
        elif await database.follows() is None:
            await database.migrate(self._project.schemas, Strategy.UPDATE)

    def _unfit(self, problem: OctonetError) -> None:
        """Rows stand against the schema. That is told; until something changes nothing is decided."""
        self._refused(self._project, problem.message)

    def _assembled(self, database: Database, hub: Hub, intake: Intake) -> Project:
        settings, project, ports = self._around.settings, self._project, self._open_ports
        return Project(
            project.name,
            project.schemas,
            database,
            project.dialect,
            intake,
            Fold(ports.log, database, project.schemas, ports.sealer),
            hub,
            ports.sealer,
            ports.positions,
            ports.idempotency,
            AwayPast(_paused(project)) if project.paused else ports.past,
            AwayTrial(_paused(project))
            if project.paused
            else OwnersTrial(ports.trials, self._owner, settings.command_timeout),
            Limits(settings.default_page, settings.maximum_page),
            NO_REPLICAS if project.paused else self._around.sources.of(project.name),
        )

    def _owner(self) -> str:
        """The process that decides; one that has just begun to may not have been heard of."""
        around = self._around
        here = around.worker is not None and around.worker.owns(self.name)
        return around.process if here else around.owners.of(self.name)

    async def _open_database(self) -> Database:
        settings, project = self._around.settings, self._project
        if not self._running and self._around.migrates and self._around.owners.of(self.name):
            # Tables are not changed under a worker that writes to them by another schema: it is its lane's turn.
            self._running = not await follows(settings, project)
        if self._running:
            return await open_as_it_is(settings, project)
        return await open_database(settings, project, self._strategy())

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


def _paused(project: ProjectSettings) -> Unavailable:
    return Unavailable(f"project {project.name} is paused", code="PROJECT_PAUSED")


async def _decided(database: Database, history: Fold, commands: Collection[CommandId]) -> list[Outcome]:
    """What became of those of the commands that are decided."""
    entries = {id: await database.recall(id) for id in commands}
    return await told_again(history, {id: entry for id, entry in entries.items() if entry is not None})
