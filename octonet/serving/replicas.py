"""All replicas that this process reads from or follows, as the rows of the system project say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from jetstream.replica_reports import ReplicaReports
from octonet.admin.replica_rows import ReplicaSettings
from octonet.kernel.figures import Family, Labels, gauge, labels
from octonet.kernel.ids import ProjectName
from octonet.kernel.replica import UNKNOWN, Condition, Report, Routing
from octonet.project import Projects
from octonet.projects_tree import ProjectSettings
from octonet.serving.candidate import examine
from octonet.serving.replica import Replica
from octonet.serving.surroundings import Surroundings

log = logging.getLogger("octonet.replicas")


class Replicas:
    """Implements `octonet.admin.replicas.Watch`. `served`: the projects of this process; `heard` hears every report,
    and the replica's name."""

    def __init__(self, around: Surroundings, served: Projects, heard: Callable[[Report, str], None]) -> None:
        self._heard = heard
        self._around = around
        self._served = served
        self._reports = ReplicaReports(around.client)
        self._there: dict[str, Replica] = {}
        self._projects: dict[ProjectName, ProjectSettings] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Hear what is said of replicas from now on."""
        await self._reports.listen(self._hear)

    def follow(
        self,
        wanted: Sequence[ReplicaSettings],
        routing: Mapping[ProjectName, Routing],
        projects: Mapping[ProjectName, ProjectSettings],
    ) -> None:
        """These are the replicas from now on; `projects` are those that are served."""
        # Whoever is about to end may look once more.
        self._projects |= projects
        there = {one.id: one for one in wanted if one.project in projects and not projects[one.project].paused}
        for id, replica in list(self._there.items()):
            wish = there.get(id)
            if wish != replica.settings or projects[wish.project].table_prefix != replica.prefix:
                self._end(self._there.pop(id))
        for id, settings in there.items():
            if id not in self._there:
                project = partial(self._project, settings.project)
                load = partial(self._load, settings.project)
                self._there[id] = Replica(self._around, settings, project, self._reports, load)
        for name in {*projects, *self._around.sources.names()}:
            replicas = [replica.source for replica in self._of(name)]
            self._around.sources.of(name).set(replicas, routing.get(name, Routing.ROUND_ROBIN))

    async def told(self, project: ProjectName) -> list[Report]:
        """How the replicas of a project are, their lag measured now: plain figures, for whoever shows them."""
        return list(await asyncio.gather(*(replica.told() for replica in self._of(project))))

    def families(self) -> list[Family]:
        """Figures of those that this process follows."""
        connected: dict[Labels, float] = {}
        positions: dict[Labels, float] = {}
        seconds: dict[Labels, float] = {}
        for replica in self._there.values():
            report = replica.source.report
            if replica.followed_here and report is not None:
                key = labels(project=report.project, replica=replica.settings.name)
                connected[key] = float(report.condition is Condition.CONNECTED)
                if report.entry != UNKNOWN:
                    positions[key], seconds[key] = report.lag.positions, report.lag.milliseconds / 1000
        return [
            gauge("octonet_replica_connected", "1 while the log is folded into a replica.", connected),
            gauge("octonet_replica_lag_positions", "Log entries that a replica lacks.", positions),
            gauge("octonet_replica_lag_seconds", "Age of the oldest log entry that a replica lacks.", seconds),
        ]

    def known(self) -> list[Report]:
        """What was last said of every replica that is read from or followed here, without asking anybody: plain figures
        for whoever lists them."""
        return [replica.source.report for replica in self._there.values() if replica.source.report is not None]

    async def examine(self, project: ProjectSettings, replica: ReplicaSettings) -> None:
        """See the port."""
        own = (home.database for home in self._served)
        theirs = (other.source.database for other in self._there.values())
        await examine(self._around, project, replica, [*own, *(found for found in theirs if found is not None)])

    async def close(self) -> None:
        """Read from none and follow none."""
        await self._reports.close()
        for replica in self._there.values():
            self._end(replica)
        self._there.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _project(self, name: ProjectName) -> ProjectSettings:
        return self._projects[name]

    def _of(self, project: ProjectName) -> list[Replica]:
        found = (replica for replica in self._there.values() if replica.settings.project == project)
        return sorted(found, key=lambda replica: replica.settings.name)

    def _hear(self, report: Report) -> None:
        replica = self._there.get(report.id)
        if replica is not None:
            replica.hear(report)
            self._heard(report, replica.settings.name)

    def _load(self, project: ProjectName) -> int:
        """What this process does already for whoever might leave a replica of this project to others."""
        worker = self._around.worker
        decides = worker is not None and worker.owns(project)
        return decides + sum(replica.followed_here for replica in self._there.values())

    def _end(self, replica: Replica) -> None:
        task = asyncio.create_task(replica.close(), name=f"end of replica {replica.settings.name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
