"""`/api/projects/:name/replicas`: listing, adding, removing and promoting read replicas, and how reads are spread."""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from octonet.access.principal import Visitor
from octonet.admin.authority import Authority
from octonet.admin.http import answer, body, nowhere, only
from octonet.admin.masking import masked
from octonet.admin.projects import Projects
from octonet.admin.replica_rows import ReplicaSettings
from octonet.admin.replicas import Replicas
from octonet.kernel.errors import Conflict, validation
from octonet.kernel.ids import ProjectName
from octonet.kernel.replica import UNKNOWN, Condition, Report, Routing
from octonet.kernel.storage import Strategy
from octonet.projects_tree import ProjectSettings
from octonet.transport import Incoming, Reply

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_Size = Annotated[int, Meta(ge=0, le=1000)]


class _Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    min: _Size = 0
    max: Annotated[int, Meta(ge=1, le=1000)] = 4


class _Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    uri: str
    dialect: str = "sqlite"
    role: str = "slave"
    pool: _Pool = _Pool()
    schema_strategy: Strategy = Strategy.UPDATE
    lag_tolerance: Annotated[int, Meta(ge=1, le=86_400_000)] = 1000


class _Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    strategy: Routing


class ReplicasDoor:
    """What is below a project's own path."""

    def __init__(self, replicas: Replicas, projects: Projects, authority: Authority) -> None:
        self._replicas = replicas
        self._projects = projects
        self._authority = authority

    async def serve(self, incoming: Incoming, by: Visitor, project: str, below: list[str]) -> Reply:
        """`below`: the steps behind the project's name."""
        match below:
            case ["replicas"]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return await self._add(incoming, by, project)
                await self._authority.check(by, "project:read", project)
                return answer(await self._listed(by, project))
            case ["replicas", name]:
                only(incoming, "DELETE")
                await self._authority.check(by, "project:update", project)
                await self._replicas.remove(by, project, name)
                return answer({"ok": True, **await self._listed(by, project)})
            case ["replicas", name, "promote"]:
                only(incoming, "POST")
                await self._authority.check(by, "project:update", project)
                former = await self._replicas.promote(by, project, name)
                return answer({"ok": True, "promoted": name, "former": former.name, **await self._listed(by, project)})
            case ["read-routing"]:
                only(incoming, "PUT")
                await self._authority.check(by, "project:update", project)
                strategy = body(incoming, _Route).strategy
                await self._replicas.route(by, project, strategy)
                return answer({"ok": True, "strategy": strategy.value})
            case _:
                raise nowhere(incoming)

    async def _add(self, incoming: Incoming, by: Visitor, project: str) -> Reply:
        await self._authority.check(by, "project:update", project)
        wish = body(incoming, _Wish)
        if wish.role == "master":
            raise Conflict("a project has one master: add a replica, and promote it", code="ONE_MASTER")
        if wish.role != "slave":
            raise validation("$.role", "is slave for every replica that is added")
        if not _NAME.fullmatch(wish.name):
            raise validation("$.name", "has 1 to 63 letters, digits, dots, hyphens and underscores")
        replica = ReplicaSettings(
            str(uuid.uuid4()),
            ProjectName(project),
            wish.name,
            wish.dialect,
            wish.uri,
            wish.schema_strategy,
            wish.pool.max,
            wish.pool.min,
            wish.lag_tolerance,
        )
        await self._replicas.add(by, replica)
        return answer({"ok": True, **await self._listed(by, project)}, HTTPStatus.CREATED)

    async def _listed(self, by: Visitor, name: str) -> dict[str, object]:
        project = await self._projects.find(by, name)
        told = await self._replicas.told(name)
        routing = (await self._replicas.routing(by)).get(project.name, Routing.ROUND_ROBIN)
        rows = [shown(one, project, told.get(one.id)) for one in await self._replicas.specified(by, name)]
        return {"replicas": rows, "strategy": routing.value}


def shown(replica: ReplicaSettings, project: ProjectSettings, report: Report | None) -> dict[str, object]:
    """A replica's status as the contract names it, and more; nothing secret."""
    condition = Condition.DISCONNECTED if report is None else report.condition
    known = None if report is None or report.entry == UNKNOWN else report
    told: dict[str, object] = {
        "name": replica.name,
        "role": "slave",
        "dialect": replica.dialect,
        "status": condition.value,
        "lag": None if known is None else known.lag.milliseconds,
        "lagPositions": None if known is None else known.lag.positions,
        "position": None if known is None else known.entry,
        "lagTolerance": replica.tolerance,
        "follower": None if report is None else report.follower or None,
        "uriMasked": masked(replica.uri),
        "schemaStrategy": replica.strategy.value,
        "schemasCount": len(project.schemas.entities),
        "poolMin": replica.pool_min,
        "poolMax": replica.pool_size,
    }
    reason = "this process does not know it yet" if report is None else report.reason
    return {**told, "error": reason} if reason else told
