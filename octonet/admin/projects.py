"""Projects at run time: a row of the system project says how each is served, every process follows the rows, and what
files say at a start counts until it is changed here."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from octonet.access.gate import insider
from octonet.access.principal import Visitor
from octonet.admin.places import Places, address, place
from octonet.admin.project_rows import ENTITY, ProjectRows, Specified, State, digest, wanted
from octonet.admin.replica_rows import ENTITY as REPLICA
from octonet.admin.replica_rows import ReplicaRows
from octonet.admin.system import SystemProject
from octonet.kernel.difference import Effect
from octonet.kernel.errors import Conflict, Fault, NotFound, Unavailable, validation
from octonet.kernel.ids import DEFAULT_PROJECT, SANDBOXES, ProjectName, is_private, is_sandbox
from octonet.kernel.operation import Raw, Request
from octonet.kernel.schema_diff import diff
from octonet.projects_tree import ProjectSettings, read_one, write_one

_SETTLED_WITHIN: Final = 25.0
_LOOK: Final = 0.02


class Roll(Protocol):
    """The projects as this process serves them."""

    def serves(self, name: ProjectName) -> ProjectSettings | None:
        """How a project is served now; None while it is on its way there, or not there."""
        ...

    def trouble(self, name: ProjectName) -> str:
        """Why a project cannot be asked; empty where it can."""
        ...


class Projects:
    """The projects of an installation. `files` are those that the settings and the tree name; private ones are nobody's
    business here."""

    def __init__(
        self,
        system: SystemProject,
        rows: ProjectRows,
        files: Collection[ProjectSettings],
        places: Places,
        dialects: Collection[str],
        roll: Roll,
        replicas: ReplicaRows,
    ) -> None:
        self._replicas = replicas
        self._system = system
        self._rows = rows
        self._files = {project.name: project for project in files if not is_private(project.name)}
        self._private = [project for project in files if is_private(project.name)]
        self._places = places
        self._dialects = dialects
        self._roll = roll

    async def specified(self, by: Visitor) -> Mapping[ProjectName, Specified]:
        """What the rows say."""
        rows = await self._system.every(by, ENTITY)
        return {found.project.name: found for found in map(self._rows.read, rows)}

    async def wanted(self, by: Visitor) -> list[ProjectSettings]:
        """All projects that are to be served, by name."""
        found = wanted(self._files.values(), await self.specified(by))
        return sorted(found, key=lambda project: project.name)

    async def owned(self, by: Visitor, accounts: frozenset[str]) -> frozenset[str]:
        """The names of the projects that belong to any of these accounts."""
        rows = await self._system.every(by, ENTITY, {"account": {"$in": sorted(accounts)}}, select=["id"])
        return frozenset(str(row["id"]) for row in rows)

    async def find(self, by: Visitor, name: str) -> ProjectSettings:
        """One of them. Raises `NotFound`, code UNKNOWN_PROJECT."""
        for project in await self.wanted(by):
            if project.name == name:
                return project
        raise NotFound(f"there is no project {name!r}", code="UNKNOWN_PROJECT")

    async def add(self, by: Visitor, name: str, content: object, account: str | None = None) -> ProjectSettings:
        """Serve a new project, here and everywhere. Raises `ValidationError` with every fault, `Conflict` when the name
        or the place is taken or still being erased, or the tables there do not fit."""
        if is_sandbox(name):
            raise validation("$.name", f"begins with {SANDBOXES!r}, as only sandboxes do")
        return await self.serve(by, await self.placed(name, content), account)

    async def serve(self, by: Visitor, project: ProjectSettings, account: str | None) -> ProjectSettings:
        """As `add`, wherever the project is kept."""
        name = project.name
        await self._erased(by, name)
        there = await self.wanted(by)
        if any(other.name == name for other in there):
            raise Conflict(f"there is a project {name!r} already", code="PROJECT_EXISTS")
        await self._check_place(by, project, [*there, *self._private])
        row: dict[str, Raw] = {"state": State.ACTIVE.value, "account": account, "former": None, "problem": None}
        await self._put(by, project, row)
        return await self._settle(by, project)

    async def placed(self, name: str, content: object) -> ProjectSettings:
        """A project as it would be added. Raises `ValidationError`."""
        return await self._settled_place(read_one(name, content, self._dialects))

    async def change(
        self, by: Visitor, name: str, patch: Mapping[str, object], confirm: bool = False
    ) -> ProjectSettings:
        """Serve it in another way from now on; members of `patch` take the place of what is there. Writes wait
        meanwhile, and none is lost. Raises as `add` does, `NotFound`, and `Conflict` with code CONFIRM_NEEDED naming
        what would be lost, unless that is meant."""
        before = await self.find(by, name)
        patch = dict(patch)
        paused = patch.pop("paused", before.paused)
        content = {**write_one(before), **patch}
        project = read_one(name, content, self._dialects)
        if (project.dialect, project.uri) != (before.dialect, before.uri):
            project = await self._settled_place(project)
            others = [other for other in await self.wanted(by) if other.name != name]
            await self._check_place(by, project, [*others, *self._private])
        if not confirm:
            _check_losses(before, project)
        await self._exchange(by, before, project, paused is True)
        return await self._settle(by, await self.find(by, name))

    async def move(self, by: Visitor, name: str, dialect: str, uri: str) -> ProjectSettings:
        """Keep it in another database from now on, which has folded the log nearly to its end: writes wait for a
        moment, and none is lost. For who works on the machine itself, and may use any place that is nobody else's.
        Returns as soon as that is recorded; raises as `change` does."""
        before = await self.find(by, name)
        project = msgspec.structs.replace(before, dialect=dialect, uri=uri)
        others = [other for other in await self.wanted(by) if other.name != name]
        await self._check_place(by, project, [*others, *self._private])
        await self._exchange(by, before, project, before.paused)
        return project

    async def _exchange(self, by: Visitor, before: ProjectSettings, after: ProjectSettings, paused: bool) -> None:
        state = State.PAUSED if paused else State.ACTIVE
        former = None if before.paused else msgspec.json.encode(self._rows.write(before)).decode()
        await self._put(by, after, {"state": state.value, "former": former, "problem": None})

    async def promote(self, by: Visitor, project: ProjectSettings, more: Sequence[Request]) -> ProjectSettings:
        """Serve a project from a database that its log is folded into already, and carry out `more` in the same change
        set. Raises `Conflict` when somebody else changed the project meanwhile."""
        data = {**self._row(project), "former": None, "problem": None}
        version = await self._system.version(by, ENTITY, project.name)
        if version:
            change = Request("update", ENTITY, project.name, data=data, expected_version=version)
        else:
            change = Request("create", ENTITY, data={"id": project.name, "state": State.ACTIVE.value, **data})
        await self._system.write_together(by, [change, *more])
        return await self._settle(by, await self.find(by, project.name))

    async def addresses(self, by: Visitor) -> frozenset[tuple[str, ...]]:
        """Of the databases of all projects, and of all replicas."""
        projects = [*await self.wanted(by), *self._private]
        rows = await self._system.every(by, REPLICA)
        used = [(p.dialect, p.uri) for p in projects] + [(r.dialect, r.uri) for r in map(self._replicas.read, rows)]
        return frozenset(address(dialect, uri) for dialect, uri in used)

    async def remove(self, by: Visitor, name: str, erase: bool) -> None:
        """Serve it no longer. `erase`: its history, tables and files go too; else a project of the same name would go
        on where it ended. Raises `NotFound`; `Conflict` for the default project, which stays."""
        project = await self.find(by, name)
        if name == DEFAULT_PROJECT:
            raise Conflict("the default project stays: an address without a name means it", code="DEFAULT_PROJECT")
        if erase or name in self._files:
            state = State.ERASING if erase else State.REMOVED
            await self._put(by, project, {"state": state.value})
        else:
            await self.forget(by, project.name)
        await self._gone(project.name)

    async def forget(self, by: Visitor, name: ProjectName) -> None:
        """Remove the row."""
        await self._system.write(by, Request("delete", ENTITY, name))

    async def refuse(self, project: ProjectSettings, reason: str) -> None:
        """A change that the tables do not allow is taken back, and why is kept."""
        by = insider("projects")
        row = await self._system.find(by, ENTITY, project.name)
        if row is None or self._rows.read(row).project != project:
            return
        former = msgspec.json.decode(str(row["former"] or "{}"), type=dict[str, Raw])
        data: dict[str, Raw] = {**former, "former": None, "problem": reason}
        await self._system.write(by, Request("update", ENTITY, project.name, data=data))

    async def _settled_place(self, project: ProjectSettings) -> ProjectSettings:
        uri = await self._places.settle(project.name, project.dialect, project.uri)
        return msgspec.structs.replace(project, uri=uri)

    async def _put(self, by: Visitor, project: ProjectSettings, more: dict[str, Raw]) -> None:
        data = {**self._row(project), **more}
        if await self._system.find(by, ENTITY, project.name) is None:
            await self._system.create(by, ENTITY, {"id": project.name, **data})
        else:
            await self._system.write(by, Request("update", ENTITY, project.name, data=data))

    def _row(self, project: ProjectSettings) -> dict[str, Raw]:
        file = self._files.get(project.name)
        return {**self._rows.write(project), "specified": None if file is None else digest(file)}

    async def _check_place(self, by: Visitor, project: ProjectSettings, others: Collection[ProjectSettings]) -> None:
        """Whoever names another project's database could read its tables, whatever their prefix: only files may do
        that."""
        wanted = place(project.dialect, project.uri)
        erasing = [found.project for found in (await self.specified(by)).values() if found.state is State.ERASING]
        if any(wanted == place(other.dialect, other.uri) for other in (*others, *erasing)):
            raise Conflict("$.uri: is the database of another project", code="PLACE_TAKEN")
        if address(project.dialect, project.uri) in await self.addresses(by):
            raise Conflict("$.uri: is the database of a replica: promote it instead", code="PLACE_TAKEN")

    async def _settle(self, by: Visitor, project: ProjectSettings) -> ProjectSettings:
        """Wait until it is served so, here. Other processes take about as long."""
        deadline = asyncio.get_running_loop().time() + _SETTLED_WITHIN
        while self._roll.serves(project.name) != project:
            row = await self._system.find(by, ENTITY, project.name)
            if row is not None and row["problem"] is not None:
                raise Conflict(f"that cannot be done: {row['problem']}", code="SCHEMA_CONFLICT")
            if self._roll.trouble(project.name):
                break
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("the project is changed, and not ready yet", code="NOT_READY")
            await asyncio.sleep(_LOOK)
        return project

    async def _erased(self, by: Visitor, name: ProjectName) -> None:
        """Wait until nothing is left of an earlier project of this name: what is still to be erased of it would be
        taken from the new one. Raises `Conflict` with code PROJECT_ERASING when that takes long."""
        deadline = asyncio.get_running_loop().time() + _SETTLED_WITHIN
        while (found := (await self.specified(by)).get(name)) is not None and found.state is State.ERASING:
            if asyncio.get_running_loop().time() > deadline:
                sentence = f"an earlier project {name!r} is still being erased: try again in a moment"
                raise Conflict(sentence, code="PROJECT_ERASING")
            await asyncio.sleep(_LOOK)

    async def _gone(self, name: ProjectName) -> None:
        deadline = asyncio.get_running_loop().time() + _SETTLED_WITHIN
        while self._roll.serves(name) is not None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_LOOK)


def _check_losses(before: ProjectSettings, after: ProjectSettings) -> None:
    lost = [found for found in diff(before.schemas, after.schemas) if found.effect is Effect.LOSES]
    if lost:
        faults = tuple(Fault(found.path, found.sentence) for found in lost)
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        sentence = f'{lost[0].sentence}{more}; send "confirm": true if that is meant'
        raise Conflict(sentence, code="CONFIRM_NEEDED", faults=faults)
