"""One replica in one process: read from as soon as it fits, and, in a worker that was elected, followed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

import msgspec

from jetstream.log import JetStreamLog
from jetstream.replica_reports import ReplicaReports
from octonet.admin.replica_rows import ReplicaSettings
from octonet.kernel.errors import OctonetError, Unavailable
from octonet.kernel.replica import UNKNOWN, Condition, Lag, Report
from octonet.kernel.storage import Database
from octonet.projects_tree import ProjectSettings
from octonet.serving.follower import Follower, open_replica
from octonet.serving.surroundings import Surroundings
from octonet.sources import ReplicaSource

log = logging.getLogger("octonet.replicas")

_LOOK = 0.2
_ANSWERS_WITHIN = 1.0
_SAYS_WITHIN = 0.3
_LAST_READS = 2.0
"""Seconds for reads under way on a database that is not read from any more."""
_LONGEST_PAUSE = 2.0


class Replica:
    """`project` as for a `Follower`."""

    def __init__(
        self,
        around: Surroundings,
        settings: ReplicaSettings,
        project: Callable[[], ProjectSettings],
        reports: ReplicaReports,
        load: Callable[[], int],
    ) -> None:
        self._around = around
        self.settings = settings
        self.prefix = project().table_prefix
        """Of the names of its tables: its project's."""
        self._project = project
        self._log = JetStreamLog(around.client, settings.project)
        self.source = ReplicaSource(settings.id, settings.name, settings.tolerance)
        self._follower: Follower | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._beside(self._tend(), f"reads of replica {settings.name}")
        if around.worker is not None:
            self._follower = Follower(around, settings, project, reports, self.source.hear, load)
            self._beside(self._follower.run(), f"replica {settings.name}")

    @property
    def followed_here(self) -> bool:
        """Whether this process folds the log into it."""
        return self._follower is not None and self._follower.following

    def hear(self, report: Report) -> None:
        """What the process says that follows it, if that is another one."""
        if report.follower != self._around.process:
            self.source.hear(report)

    async def told(self) -> Report:
        """How it is, its lag measured now."""
        found, settings = self.source.report, self.settings
        if found is None or not self.source.is_heard():
            reason = "nobody follows it: is a worker running?"
            entry, schema = (UNKNOWN, "") if found is None else (found.entry, found.schema)
            found = Report(settings.id, settings.project, "", Condition.DISCONNECTED, entry, schema, Lag(), reason)
        entry = await self._entry(found.entry)
        if entry == UNKNOWN:
            return found
        try:
            return msgspec.structs.replace(found, entry=entry, lag=await self._log.lag(entry))
        except Unavailable:
            return found

    async def _entry(self, reported: int) -> int:
        """How far it says itself that it is, where it answers."""
        source = self.source
        if source.database is None or source.suspended:
            return reported
        try:
            async with asyncio.timeout(_SAYS_WITHIN):
                return (await source.database.checkpoint()).entry
        except (OctonetError, TimeoutError):
            return reported

    async def close(self) -> None:
        """Read from it and follow it no longer."""
        database, self.source.database = self.source.database, None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._follower is not None:
            await self._follower.release()
        if database is not None:
            await database.close(kept=True)

    async def _tend(self) -> None:
        """Open it, to be read by the schema of today, and ask it again when it did not answer."""
        pause = _LOOK
        while True:
            await asyncio.sleep(pause)
            digest, source = self._project().schemas.digest, self.source
            report = source.report
            if report is None or report.condition is not Condition.CONNECTED:
                pause = _LOOK
                continue
            if source.database is not None and source.opened_for == digest and not source.suspended:
                pause = _LOOK
                continue
            try:
                await self._open(digest)
            except (OctonetError, TimeoutError) as problem:
                source.suspend(str(problem) or "it does not answer")
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                if source.suspended:
                    log.info("replica %s answers again", source.name)
                source.suspended, pause = "", _LOOK

    async def _open(self, digest: str) -> None:
        source = self.source
        if source.database is None or source.opened_for != digest:
            self._retire()
            opened = await open_replica(self._around, self.settings, self._project(), self.settings.pool_size)
            source.database, source.opened_for = opened, digest
        async with asyncio.timeout(_ANSWERS_WITHIN):
            await source.database.checkpoint()

    def _retire(self) -> None:
        """Whoever reads from what is open may finish."""
        database, self.source.database = self.source.database, None
        if database is not None:
            self._beside(_end(database), f"former reads of replica {self.settings.name}")

    def _beside(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            # The others of its project go on: a replica is never what anything depends on.
            log.critical("the %s stands still: %s", task.get_name(), problem, exc_info=problem)


async def _end(database: Database) -> None:
    try:
        await asyncio.sleep(_LAST_READS)
    finally:
        await database.close(kept=True)
