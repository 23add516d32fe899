"""Read replicas at run time: rows of the system project that every process follows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from octonet.access.principal import Visitor
from octonet.admin.places import Places, address
from octonet.admin.projects import Projects
from octonet.admin.replica_rows import ENTITY, ROUTING, ReplicaRows, ReplicaSettings
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Conflict, NotFound, Unavailable, validation
from octonet.kernel.ids import ProjectName, is_sandbox
from octonet.kernel.operation import Raw, Request
from octonet.kernel.replica import Condition, Report, Routing
from octonet.kernel.storage import Strategy
from octonet.projects_tree import ProjectSettings

_MOST: Final = 16
"""Replicas of a project."""
_SETTLED_WITHIN: Final = 25.0
_LOOK: Final = 0.02
_KEPT: Final = frozenset({Strategy.NONE, Strategy.VALIDATE, Strategy.UPDATE})
"""What a replica's tables can be kept by: they are filled from the log, so that others would begin anew for ever."""


class Watch(Protocol):
    """The replicas as this process knows them."""

    async def told(self, project: ProjectName) -> Sequence[Report]:
        """How those of a project are."""
        ...

    async def examine(self, project: ProjectSettings, replica: ReplicaSettings) -> None:
        """Look at a database that is to become a replica. Raises `Conflict` where it is one that is in use, or holds
        something else; `Unavailable` where it cannot be reached."""
        ...


class Replicas:
    """Those of all projects."""

    def __init__(
        self,
        system: SystemProject,
        rows: ReplicaRows,
        projects: Projects,
        places: Places,
        dialects: Collection[str],
        watch: Watch,
    ) -> None:
        self._system = system
        self._rows = rows
        self._projects = projects
        self._places = places
        self._dialects = dialects
        self._watch = watch

    async def specified(self, by: Visitor, project: str | None = None) -> list[ReplicaSettings]:
        """What the rows say, of one project or of all, by name."""
        where: dict[str, Raw] = {} if project is None else {"project": project}
        found = map(self._rows.read, await self._system.every(by, ENTITY, where))
        return sorted(found, key=lambda replica: (replica.project, replica.name))

    async def routing(self, by: Visitor) -> Mapping[ProjectName, Routing]:
        """How queries are spread, for the projects where somebody has said so."""
        rows = await self._system.every(by, ROUTING)
        return {ProjectName(str(row["id"])): Routing(str(row["strategy"])) for row in rows}

    async def told(self, project: str) -> Mapping[str, Report]:
        """How the replicas of a project are, by the ids of their rows."""
        return {report.id: report for report in await self._watch.told(ProjectName(project))}

    async def add(self, by: Visitor, wish: ReplicaSettings) -> ReplicaSettings:
        """Feed another database from a project's log, and read from it. Raises `NotFound`, `ValidationError`, and
        `Conflict` where the name or the place is taken, or the database holds something else."""
        project = await self._projects.find(by, wish.project)
        if is_sandbox(wish.project):
            raise Conflict("a sandbox has no replicas: add a project for this", code="SANDBOX")
        _check(wish, self._dialects)
        wish = msgspec.structs.replace(wish, uri=await self._places.settle(wish.project, wish.dialect, wish.uri))
        there = await self.specified(by, wish.project)
        if any(other.name == wish.name for other in there):
            raise Conflict(f"there is a replica {wish.name!r} already", code="REPLICA_EXISTS")
        if len(there) >= _MOST:
            raise Conflict(f"a project has at most {_MOST} replicas", code="TOO_MANY_REPLICAS")
        await self._check_place(by, project, wish)
        await self._watch.examine(project, wish)
        await self._system.create(by, ENTITY, self._rows.write(wish))
        await self._settle(wish)
        return wish

    async def remove(self, by: Visitor, project: str, name: str) -> None:
        """Feed it no longer; its tables stay as they are. Raises `NotFound`, code UNKNOWN_REPLICA."""
        replica = await self.find(by, project, name)
        await self._system.write(by, Request("delete", ENTITY, replica.id))

    async def forget(self, by: Visitor, project: str) -> None:
        """Remove those of a project that is no more."""
        for replica in await self.specified(by, project):
            await self._system.write(by, Request("delete", ENTITY, replica.id))
        if await self._system.find(by, ROUTING, project) is not None:
            await self._system.write(by, Request("delete", ROUTING, project))

    async def find(self, by: Visitor, project: str, name: str) -> ReplicaSettings:
        """One of them. Raises `NotFound`, code UNKNOWN_REPLICA."""
        for replica in await self.specified(by, project):
            if replica.name == name:
                return replica
        raise NotFound(f"project {project!r} has no replica {name!r}", code="UNKNOWN_REPLICA")

    async def route(self, by: Visitor, project: str, strategy: Routing) -> None:
        """Spread queries so from now on. Raises `NotFound`."""
        await self._projects.find(by, project)
        data: dict[str, Raw] = {"strategy": strategy.value}
        if await self._system.find(by, ROUTING, project) is None:
            await self._system.create(by, ROUTING, {"id": project, **data})
        else:
            await self._system.write(by, Request("update", ROUTING, project, data=data))

    async def promote(self, by: Visitor, project: str, name: str) -> ReplicaSettings:
        """Make a replica's database the project's own, and the one that was it a replica, in one change set. Writes
        wait until what the log holds is folded into it; none is lost. Returns the former one. Raises `NotFound`,
        `Conflict`, `Unavailable`."""
        before = await self._projects.find(by, project)
        replica = await self.find(by, project, name)
        report = (await self.told(project)).get(replica.id)
        if report is None or report.condition is not Condition.CONNECTED:
            why = "nobody follows it" if report is None else report.reason
            sentence = f"replica {name!r} is not connected ({why}): promote another one, or wait"
            raise Conflict(sentence, code="REPLICA_NOT_CONNECTED")
        names = {other.name for other in await self.specified(by, project)}
        former = ReplicaSettings(
            str(uuid.uuid4()),
            replica.project,
            next(free for n in range(1, _MOST + 2) if (free := f"former-{n}") not in names),
            before.dialect,
            before.uri,
            before.strategy if before.strategy in _KEPT else Strategy.UPDATE,
            before.pool_size,
            before.pool_min,
            replica.tolerance,
        )
        after = msgspec.structs.replace(
            before,
            dialect=replica.dialect,
            uri=replica.uri,
            strategy=replica.strategy,
            pool_size=replica.pool_size,
            pool_min=replica.pool_min,
        )
        exchange = [
            # Whoever was quicker has taken it.
            Request("delete", ENTITY, replica.id, expected_version="*"),
            Request("create", ENTITY, data=self._rows.write(former)),
        ]
        await self._projects.promote(by, after, exchange)
        return former

    async def _check_place(self, by: Visitor, project: ProjectSettings, wish: ReplicaSettings) -> None:
        wanted = address(wish.dialect, wish.uri)
        if wanted == address(project.dialect, project.uri):
            sentence = "$.uri: is the project's own database: a replica is another one, name its address"
            raise Conflict(sentence, code="PLACE_TAKEN")
        if wanted in await self._projects.addresses(by):
            sentence = "$.uri: is the database of another project, or of a replica: name one that nobody uses"
            raise Conflict(sentence, code="PLACE_TAKEN")

    async def _settle(self, wish: ReplicaSettings) -> None:
        """Wait until somebody follows it, or has found out why it cannot be: what is told then is true."""
        deadline = asyncio.get_running_loop().time() + _SETTLED_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            report = (await self.told(wish.project)).get(wish.id)
            if report is not None and report.follower and (report.reason or report.condition is Condition.CONNECTED):
                return
            await asyncio.sleep(_LOOK)
        raise Unavailable("the replica is added, and nobody follows it yet: is a worker running?", code="NOT_READY")


def _check(wish: ReplicaSettings, dialects: Collection[str]) -> None:
    if wish.dialect not in dialects:
        raise validation("$.dialect", f"there is no dialect {wish.dialect!r}; the known ones: {', '.join(dialects)}")
    if wish.strategy not in _KEPT:
        raise validation("$.schemaStrategy", "a replica is filled from the log: none, validate or update")
    if not wish.uri:
        raise validation("$.uri", "is required: the address of the replica's database")
