"""Following one replica: one process of all folds the log into it, and tells everybody how far it is.

A lease elects that process and protects nothing: a fold commits only where it finds the checkpoint that it expects, so
that two that follow at the same time do no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from jetstream import subjects
from jetstream.lease import JetStreamLease
from jetstream.log import JetStreamLog
from jetstream.replica_reports import ReplicaReports
from octonet import dialects
from octonet.access.sealing import AesSealer, project_key
from octonet.admin.replica_rows import ReplicaSettings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import Link
from octonet.kernel.errors import OctonetError, Unavailable
from octonet.kernel.log import LogGap
from octonet.kernel.replica import UNKNOWN, Condition, Lag, Report
from octonet.kernel.storage import Checkpoint, Database, DatabaseOptions
from octonet.kernel.trace import record_entries
from octonet.projects_tree import ProjectSettings
from octonet.serving.surroundings import Surroundings
from projections.engine.fold import Fold
from projections.engine.following import Following
from projections.engine.tables import MOVED

log = logging.getLogger("octonet.replicas")

_TELL = 0.1
"""Seconds within which it is told that a replica came further."""
_MEASURE = 0.5
"""Seconds between two looks at how far it is behind."""
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
_LET_OTHERS = 0.3
"""Seconds for which a lease is left to others by whoever follows a replica already, for each that it follows."""


_NOWHERE = Checkpoint(UNKNOWN)


class Follower:
    """`project` tells how the replica's project is served now; `hear` hears every report at once, here; `load` tells
    how much this process does already."""

    def __init__(
        self,
        around: Surroundings,
        replica: ReplicaSettings,
        project: Callable[[], ProjectSettings],
        reports: ReplicaReports,
        hear: Callable[[Report], None],
        load: Callable[[], int],
    ) -> None:
        self._around = around
        self._replica = replica
        self._project = project
        self._reports = reports
        self._hear = hear
        self._log = JetStreamLog(around.client, replica.project)
        name = subjects.following(replica.id)
        self._lease = JetStreamLease(around.client, name, around.process, around.owners, lambda: load() * _LET_OTHERS)
        self._tenure: asyncio.Timeout | None = None
        self._mark = _NOWHERE
        self._condition = Condition.DISCONNECTED
        self._reason = ""
        self._lag = Lag()
        self._news = asyncio.Event()
        self._changed = self._moved = False
        self.following = False
        """Whether this process is the one."""

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._lease.acquire()
            self.following = True
            telling = asyncio.create_task(self._tell(), name=f"reports of replica {self._replica.name}")
            try:
                async with asyncio.timeout(None) as self._tenure:
                    await self._follow()
            except TimeoutError:
                log.info("replica %s is followed by another process", self._replica.name)
            finally:
                self.following, self._tenure = False, None
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def release(self) -> None:
        """After `run` was cancelled: leave it to others."""
        await self._lease.release()

    async def _follow(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            before = self._mark.entry
            try:
                await self._fold()
            except Unavailable as problem:
                if problem.code != MOVED:
                    self._is(Condition.DISCONNECTED, problem.message)
            except LogGap as problem:
                self._is(Condition.ERROR, f"the log cannot be folded into it: {problem}")
            except OctonetError as problem:
                self._is(Condition.ERROR, problem.message)
            pause = _FIRST_PAUSE if self._mark.entry > before else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _fold(self) -> None:
        project = self._project()
        database = await open_replica(self._around, self._replica, project, 1, synced=True)
        try:
            followed = await database.follows()
            if followed is None or followed.digest == project.schemas.digest:
                await database.migrate(project.schemas, self._replica.strategy)
            sealer = AesSealer(project_key(DataDirectory(self._around.settings.data_dir).keys, project.name))
            fold = Fold(self._log, database, project.schemas, sealer, as_logged=True)
            await Following(self._log, fold, self._came, self._record).run()
        finally:
            await database.close(kept=True)

    def _record(self, links: Sequence[Link], began: int, ended: int) -> None:
        if self._around.trace is not None:
            project = self._replica.project
            record_entries(self._around.trace, "octonet.fold", project, links, began, ended, with_facts=True)

    def _came(self, mark: Checkpoint) -> None:
        """The database has committed so far."""
        self._mark, self._moved = mark, True
        self._is(Condition.CONNECTED, "")
        # A read that was begun in this turn of the loop may still see what was there before.
        asyncio.get_running_loop().call_soon(self._hear, self._report())

    def _is(self, condition: Condition, reason: str) -> None:
        if (condition, reason) != (self._condition, self._reason):
            if condition is not self._condition:
                level = logging.INFO if condition is Condition.CONNECTED else logging.WARNING
                name, project = self._replica.name, self._replica.project
                log.log(level, "replica %s of project %s is %s%s", name, project, condition, reason and f": {reason}")
            self._condition, self._reason, self._changed = condition, reason, True
            self._news.set()

    async def _tell(self) -> None:
        """Twice a second how far behind it is; how far it is soon after it came further; and at once how it is."""
        loop = asyncio.get_running_loop()
        measured = -_MEASURE
        while True:
            self._news.clear()
            moved, self._moved = self._moved, False
            if loop.time() - measured >= _MEASURE or self._changed:
                self._changed = False
                measured = loop.time()
                await self._measure()
            elif moved:
                await self._reports.tell(self._report())
            if not self._lease.held() and not await self._lease.confirm() and self._tenure is not None:
                self._tenure.reschedule(loop.time())
            try:
                async with asyncio.timeout(_TELL):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _measure(self) -> None:
        try:
            self._lag = Lag() if self._mark.entry == UNKNOWN else await self._log.lag(self._mark.entry)
        except Unavailable as problem:
            # What was said grows old by itself.
            log.debug("how far replica %s is behind is not known: %s", self._replica.name, problem)
        else:
            report = self._report()
            self._hear(report)
            await self._reports.tell(report)

    def _report(self) -> Report:
        replica, mark = self._replica, self._mark
        return Report(
            replica.id,
            replica.project,
            self._around.process,
            self._condition,
            mark.entry,
            mark.schema,
            self._lag,
            self._reason,
        )


async def open_replica(
    around: Surroundings, replica: ReplicaSettings, project: ProjectSettings, pool: int, *, synced: bool = False
) -> Database:
    """The replica's database, whatever its tables are like. Raises `OctonetError`."""
    settings = around.settings
    options = DatabaseOptions(pool, settings.query_timeout, project.table_prefix, project.show_sql, synced)
    return await dialects.find(replica.dialect).open(replica.uri, project.schemas, options)
