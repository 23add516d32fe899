"""Projects at run time, put together: the rows of the system project on one side, what a process serves on the other.

Every process follows the rows. What only one may do, erasing what a removed project leaves, is the work of whoever owns
the system project's lane.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from jetstream.log import JetStreamLog
from octonet import dialects
from octonet.access.gate import insider
from octonet.access.sealing import derived, project_key
from octonet.admin.audit_trail import AuditTrail, Trail
from octonet.admin.authority import Meant
from octonet.admin.doors.audit import AuditDoor
from octonet.admin.doors.database import DatabaseDoor
from octonet.admin.doors.monitor import MonitorDoor
from octonet.admin.doors.projects import ProjectsDoor
from octonet.admin.doors.rules import RulesDoor
from octonet.admin.doors.schemas import SchemasDoor
from octonet.admin.office import Office
from octonet.admin.places import Places
from octonet.admin.project_rows import ENTITY, Specified, State, wanted
from octonet.admin.projects import Projects
from octonet.admin.replica_rows import ENTITY as REPLICA
from octonet.admin.replica_rows import ROUTING
from octonet.admin.replicas import Replicas as ReplicasAdmin
from octonet.admin.rule_rows import ENTITY as RULE
from octonet.admin.rule_stats import RuleStatsStore
from octonet.admin.rules import Rules as RulesAdmin
from octonet.admin.schemas import SchemaStore
from octonet.admin.system import SystemProject
from octonet.data_directory import DataDirectory
from octonet.gateway import Gateway
from octonet.kernel.errors import OctonetError
from octonet.kernel.figures import Family
from octonet.kernel.ids import SYSTEM_PROJECT, ProjectName, is_private
from octonet.kernel.position import START, Position
from octonet.kernel.storage import Strategy
from octonet.project import Projects as Served
from octonet.project_files import system_of
from octonet.projects_tree import ProjectSettings
from octonet.serving.erasure import Erasure, sandboxes
from octonet.serving.happenings import Happenings
from octonet.serving.replicas import Replicas
from octonet.serving.roster import Roster
from octonet.serving.rules import Rules
from octonet.serving.storage import open_database
from octonet.serving.stored_projects import project_rows, replica_rows
from octonet.serving.surroundings import Surroundings
from octonet.transport import HttpDoor

log = logging.getLogger("octonet")

_PAUSE = 1.0
_LOOK = 0.01
_WAITING = "what the system project says of it is not known yet"


class Registry:
    """Implements `octonet.access.system_facts.Listener` and `octonet.admin.projects.Roll`. `files` are the projects
    that settings and tree name, the system project among them; `only` as in `octonet.app.Node`; `leads` says whether
    this process is the one."""

    def __init__(
        self,
        around: Surroundings,
        files: Sequence[ProjectSettings],
        projects: Served,
        only: frozenset[ProjectName] | None,
        leads: Callable[[], bool],
    ) -> None:
        self._settings = around.settings
        self._client = around.client
        self._files = files
        self._served = projects
        self._system = system_of(files)
        self.roster = Roster(around, projects, only, self.refused)
        self._erasure = Erasure(around.settings, around.client, around.owners.of)
        self._leads = leads
        self._rows = project_rows(around.settings)
        self._replica_rows = replica_rows(around.settings)
        self._happenings = Happenings(around.client)
        self._replicas = Replicas(around, projects, self._happenings.report)
        self._rules = Rules(around, projects, self._happenings.spread)
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._projects: Projects | None = None
        self._replicas_admin: ReplicasAdmin | None = None
        self._rules_admin: RulesAdmin | None = None

    def doors(self, office: Office, meant: Meant) -> Mapping[str, HttpDoor]:
        """The doors for those who see to projects, and to what is done in them: path prefix → door."""
        let_in, authority = office.let_in, office.authority
        key = derived(project_key(DataDirectory(self._settings.data_dir).keys, SYSTEM_PROJECT), "audit")
        return {
            **AuditDoor(AuditTrail(key), self._trail, let_in, meant, authority).mount(),
            **ProjectsDoor(self.projects, self.replicas, self.rules, self, office.accounts, let_in, authority).mount(),
            **RulesDoor(self.rules, let_in, authority).mount(),
            **MonitorDoor(
                self.projects, self.replicas, self.rules, self._happenings, office.entrance, authority
            ).mount(),
            **SchemasDoor(SchemaStore(self.projects), let_in, meant, authority).mount(),
            **DatabaseDoor(self.projects, self, self._settings.tree, let_in, meant, authority).mount(),
        }

    @property
    def projects(self) -> Projects:
        """What is done to projects."""
        assert self._projects is not None
        return self._projects

    @property
    def replicas(self) -> ReplicasAdmin:
        """What is done to replicas."""
        assert self._replicas_admin is not None
        return self._replicas_admin

    @property
    def rules(self) -> RulesAdmin:
        """What is done to replication rules."""
        assert self._rules_admin is not None
        return self._rules_admin

    async def open(self, gateway: Gateway) -> None:
        """Serve what the rows say. While they cannot be read, nothing else is served: what a file said would be taken
        back a moment later, and stand in the log twice."""
        settings = self._settings
        hosts = [host.strip() for host in settings.database_hosts.split(",") if host.strip()]
        directory = DataDirectory(settings.data_dir)
        self.places = Places(directory.path, sandboxes(settings), hosts)
        system = SystemProject(gateway)
        known = dialects.known()
        self._projects = Projects(system, self._rows, self._files, self.places, known, self, self._replica_rows)
        self._replicas_admin = ReplicasAdmin(
            system, self._replica_rows, self._projects, self.places, known, self._replicas
        )
        store = RuleStatsStore(system)
        self._rules_admin = RulesAdmin(system, self._projects, store, self._rules)
        await self._happenings.open()
        await self._replicas.open()
        await self._rules.open(store)
        await self.roster.open([self._system])
        try:
            found = wanted(self._files, await self.projects.specified(insider("projects")))
        except OctonetError as problem:
            log.warning("the projects wait for the system project: %s", problem)
            found = [msgspec.structs.replace(p, hold=_WAITING) for p in self._files if not is_private(p.name)]
        await self.roster.open([project for project in found if project.name != SYSTEM_PROJECT])

    def figures(self) -> list[Family]:
        """Of the replicas that are followed here, and the rules that are carried out here."""
        return [*self._replicas.families(), *self._rules.families()]

    async def run(self, heard: Callable[[], Position | None]) -> None:
        """Follow the rows, for ever; `heard` tells how far the system project's facts were."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.reach(heard())
                rows = await self.projects.specified(insider("projects"))
                found = wanted(self._files, rows)
                self.roster.follow(found)
                await self._follow_replicas(found)
                if self._leads():
                    await self._erase(rows)
            except OctonetError as problem:
                log.info("the projects are looked at again later: %s", problem)
                await asyncio.sleep(_PAUSE)
                self._changed.set()

    async def reach(self, heard: Position | None) -> None:
        """Wait until rows of the system project tell what its facts told: a fact is heard a moment before."""
        entry = (heard or START).entry
        while (await self._served.get(SYSTEM_PROJECT).database.checkpoint()).entry < entry:
            await asyncio.sleep(_LOOK)

    def hear(self, entity: str, id: str, version: int) -> None:
        """See the port."""
        if entity in (ENTITY, REPLICA, ROUTING, RULE):
            self._changed.set()

    def trust(self) -> None:
        """See the port."""
        self._changed.set()

    def distrust(self) -> None:
        """See the port: what is served goes on as it is."""

    def serves(self, name: ProjectName) -> ProjectSettings | None:
        """See the port."""
        served = self.roster.find(name)
        return None if served is None else served.current

    def trouble(self, name: ProjectName) -> str:
        """See the port."""
        served = self.roster.find(name)
        return "" if served is None else served.away or served.failed

    async def try_out(self, project: ProjectSettings) -> None:
        """See `octonet.admin.doors.database.Databases`."""
        # A file that is not there would be made.
        if project.dialect != "sqlite" or Path(project.uri.removeprefix("sqlite:///")).exists():
            database = await open_database(self._settings, project, Strategy.NONE)
            await database.close()

    async def answers(self, project: ProjectSettings) -> bool:
        """See `octonet.admin.doors.database.Databases`."""
        served = self.roster.find(project.name)
        return served is not None and await served.answers()

    def refused(self, project: ProjectSettings, reason: str) -> None:
        """The tables do not allow what a project was changed to."""
        log.warning("project %s cannot be changed: %s", project.name, reason)
        task = asyncio.create_task(self._refuse(project, reason))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Finish nothing more."""
        await self._rules.close()
        await self._replicas.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow_replicas(self, projects: Sequence[ProjectSettings]) -> None:
        by = insider("replicas")
        there = {project.name: project for project in projects if self.roster.chooses(project.name)}
        replicas, rules = await self.replicas.specified(by), await self.rules.specified(by)
        self._replicas.follow(replicas, await self.replicas.routing(by), there)
        self._rules.follow(rules, there)
        self._happenings.follow(replicas, rules, there)

    def _trail(self, name: ProjectName) -> Trail:
        """The log of a project that is served here, also while its database is away."""
        return Trail(name, JetStreamLog(self._client, name), self._served.get(name).positions)

    async def _refuse(self, project: ProjectSettings, reason: str) -> None:
        try:
            await self.projects.refuse(project, reason)
        except OctonetError as problem:
            log.warning("project %s stays as it cannot be served: %s", project.name, problem)

    async def _erase(self, rows: Mapping[ProjectName, Specified]) -> None:
        for name, found in rows.items():
            if found.state is not State.ERASING:
                continue
            if self.roster.find(name) is None:
                await self._erasure.erase(found.project)
                await self.projects.forget(insider("projects"), name)
            else:
                # It is on its way out here: looked at again, and not without a pause.
                await asyncio.sleep(_LOOK)
                self._changed.set()
