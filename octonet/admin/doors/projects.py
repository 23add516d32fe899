"""`/api/projects`: listing, adding, changing, pausing and removing projects at run time."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from octonet.access.principal import Visitor
from octonet.admin.accounts import Accounts
from octonet.admin.authority import Authority, LetIn
from octonet.admin.doors.replicas import ReplicasDoor
from octonet.admin.http import answer, body, nowhere, only, steps
from octonet.admin.masking import masked
from octonet.admin.projects import Projects, Roll
from octonet.admin.replicas import Replicas
from octonet.admin.rights import Rights
from octonet.admin.rules import Rules
from octonet.kernel.errors import Denied, validation
from octonet.projects_tree import ProjectSettings, write_one
from octonet.transport import HttpDoor, Incoming, Reply


class ProjectsDoor:
    """`let_in` is the gate's; `roll` tells how the projects are."""

    def __init__(
        self,
        projects: Projects,
        replicas: Replicas,
        rules: Rules,
        roll: Roll,
        accounts: Accounts,
        let_in: LetIn,
        authority: Authority,
    ) -> None:
        self._replicas = replicas
        self._rules = rules
        self._below = ReplicasDoor(replicas, projects, authority)
        self._projects = projects
        self._accounts = accounts
        self._roll = roll
        self._let_in = let_in
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/projects": self.serve}

    async def serve(self, incoming: Incoming) -> Reply:
        """Everything below the prefix."""
        by = await self._let_in(incoming)
        match steps(incoming):
            case [""]:
                only(incoming, "GET", "POST")
                return await self._add(incoming, by) if incoming.method == "POST" else answer(await self._listed(by))
            case ["pool-stats"]:
                only(incoming, "GET")
                return answer(await self._pools(by))
            case ["export"]:
                only(incoming, "GET")
                return answer(await self._tree(by))
            case [name]:
                only(incoming, "PUT", "DELETE")
                return await (self._remove if incoming.method == "DELETE" else self._change)(incoming, by, name)
            case [name, "test"]:
                only(incoming, "POST")
                return await self._test(by, name)
            case [name, *below] if name:
                return await self._below.serve(incoming, by, name, below)
            case _:
                raise nowhere(incoming)

    async def _add(self, incoming: Incoming, by: Visitor) -> Reply:
        rights = await self._authority.check(by, "project:create")
        wish = body(incoming, dict[str, object])
        name = wish.pop("name", None)
        if not isinstance(name, str):
            raise validation("$.name", "is required, a text")
        account = await self._account(by, rights, wish.pop("account", None))
        await self._projects.add(by, name, wish, account)
        return answer({"ok": True, "projects": await self._listed(by)}, HTTPStatus.CREATED)

    async def _account(self, by: Visitor, rights: Rights, asked: object) -> str | None:
        """Whom a new project belongs to. Raises `Denied`, `ValidationError`."""
        if asked is not None and not isinstance(asked, str):
            raise validation("$.account", "expected the id of an account")
        if rights.everything:
            return asked
        allowed = await self._accounts.allowed(by)
        if asked is None and len(allowed) == 1:
            return next(iter(allowed))
        if asked is None:
            raise validation("$.account", "must be one of your accounts")
        if asked not in allowed:
            raise Denied("a project for this account is not yours to add")
        return asked

    async def _change(self, incoming: Incoming, by: Visitor, name: str) -> Reply:
        await self._authority.check(by, "project:update", name)
        patch = body(incoming, dict[str, object])
        confirm = patch.pop("confirm", False) is True
        await self._projects.change(by, name, patch, confirm)
        return answer({"ok": True, "projects": await self._listed(by)})

    async def _remove(self, incoming: Incoming, by: Visitor, name: str) -> Reply:
        await self._authority.check(by, "project:delete", name)
        asked = {key: values[-1] == "true" for key, values in parse_qs(urlsplit(incoming.target).query).items()}
        # Without its history a database cannot be trusted, and with it a dropped one would come back.
        erase = asked.get("deleteDb", False)
        await self._projects.remove(by, name, erase)
        await self._replicas.forget(by, name)
        await self._rules.forget(by, name)
        told = {"ok": True, "schemaDeleted": True, "dbDropped": erase, "projects": await self._listed(by)}
        return answer(told)

    async def _test(self, by: Visitor, name: str) -> Reply:
        await self._authority.check(by, "project:read", name)
        project = await self._projects.find(by, name)
        return answer({"ok": not self._roll.trouble(project.name), "project": name, "status": self._status(project)})

    async def _listed(self, by: Visitor) -> list[dict[str, object]]:
        return [self._shown(project) for project in await self._visible(by, "project:list")]

    async def _pools(self, by: Visitor) -> dict[str, object]:
        found = await self._visible(by, "project:list")
        each = {project.name: {"max": project.pool_size} for project in found}
        total = sum(project.pool_size for project in found)
        return {"total": total, "budget": total, "perProject": each}

    async def _tree(self, by: Visitor) -> dict[str, object]:
        found = await self._visible(by, "project:read")
        return {project.name: {**write_one(project), "uri": masked(project.uri)} for project in found}

    async def _visible(self, by: Visitor, permission: str) -> list[ProjectSettings]:
        """Those that the visitor may know of."""
        found = await self._projects.wanted(by)
        known = await self._authority.among(by, permission, [project.name for project in found])
        return [project for project in found if project.name in known]

    def _status(self, project: ProjectSettings) -> str:
        if project.paused:
            return "paused"
        if self._roll.trouble(project.name):
            return "error"
        return "disconnected" if self._roll.serves(project.name) is None else "connected"

    def _shown(self, project: ProjectSettings) -> dict[str, object]:
        names = list(project.schemas.entities)
        told: dict[str, object] = {
            "name": project.name,
            "dialect": project.dialect,
            "dialectType": project.dialect,
            "status": self._status(project),
            "schemas": names,
            "schemasCount": len(names),
            "poolMin": project.pool_min,
            "poolMax": project.pool_size,
            "uriMasked": masked(project.uri),
            "schemaStrategy": project.strategy.value,
            "description": project.description,
            "showSql": project.show_sql,
            "formatSql": False,
        }
        trouble = self._roll.trouble(project.name)
        return {**told, "error": "the database is not available"} if trouble and not project.paused else told
