"""`/api/test-connection`, `/api/change-dialect`, `/api/reconnect`, `/api/config-tree`: the databases of projects, and
how the server is set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Protocol

import msgspec

from octonet.admin.authority import Authority, LetIn, Meant
from octonet.admin.http import answer, body, only
from octonet.admin.masking import masked
from octonet.admin.projects import Projects
from octonet.kernel.errors import OctonetError, validation
from octonet.projects_tree import ProjectSettings, write_one
from octonet.transport import HttpDoor, Incoming, Reply


class _Tested(msgspec.Struct, frozen=True):
    dialect: str | None = None
    uri: str | None = None


class _Moved(msgspec.Struct, frozen=True):
    dialect: str
    uri: str = ""
    connect: bool = True


class Databases(Protocol):
    """The databases as this process reaches them."""

    async def try_out(self, project: ProjectSettings) -> None:
        """Open the database and close it again. Raises `OctonetError` with a sentence that says why not."""
        ...

    async def answers(self, project: ProjectSettings) -> bool:
        """Whether the database of a project does, as it is served."""
        ...


class DatabaseDoor:
    """`let_in` is the gate's; `tree` tells the settings, nothing secret among them."""

    def __init__(
        self,
        projects: Projects,
        databases: Databases,
        tree: Callable[[], Mapping[str, object]],
        let_in: LetIn,
        meant: Meant,
        authority: Authority,
    ) -> None:
        self._projects = projects
        self._databases = databases
        self._tree = tree
        self._let_in = let_in
        self._meant = meant
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {
            "/api/test-connection": self.test,
            "/api/change-dialect": self.change,
            "/api/reconnect": self.reconnect,
            "/api/config-tree": self.config,
        }

    async def test(self, incoming: Incoming) -> Reply:
        """Whether a database answers: the project's own, or one that may become a project's."""
        only(incoming, "GET", "POST")
        by, name = await self._let_in(incoming), self._meant(incoming)
        wish = body(incoming, _Tested) if incoming.body else _Tested()
        if wish.dialect is None and wish.uri is None:
            await self._authority.check(by, "project:read", name)
            return await self._own(await self._projects.find(by, name))
        await self._authority.check(by, "project:create")
        content = {"dialect": wish.dialect or "sqlite", "uri": wish.uri or "", "schemas": _NOTHING}
        tried = await self._projects.placed("test-connection", content)
        return await self._told(self._databases.try_out(tried), tried)

    async def change(self, incoming: Incoming) -> Reply:
        """Move a project to another database: it is rebuilt there from its history."""
        only(incoming, "POST")
        by, name = await self._let_in(incoming), self._meant(incoming)
        await self._authority.check(by, "project:update", name)
        wish = body(incoming, _Moved)
        moved = await self._projects.change(by, name, {"dialect": wish.dialect, "uri": wish.uri})
        there = await self._databases.answers(moved)
        message = f"project {name} is kept in {masked(moved.uri)} now"
        return answer({"ok": True, "connected": there, "message": message})

    async def reconnect(self, incoming: Incoming) -> Reply:
        """Look whether the database is there; it is waited for in any case."""
        only(incoming, "POST")
        by, name = await self._let_in(incoming), self._meant(incoming)
        await self._authority.check(by, "project:update", name)
        return await self._own(await self._projects.find(by, name))

    async def config(self, incoming: Incoming) -> Reply:
        """How the server is set."""
        only(incoming, "GET")
        by = await self._let_in(incoming)
        await self._authority.check(by, "admin:bypass")
        projects = {p.name: {**write_one(p), "uri": masked(p.uri)} for p in await self._projects.wanted(by)}
        return answer({"tree": {**self._tree(), "projects": projects}, "file": None})

    async def _own(self, project: ProjectSettings) -> Reply:
        entities = project.schemas.entities.values()
        told: dict[str, object] = {
            "dialect": project.dialect,
            "tables": [entity.collection for entity in entities],
            "schemas": [
                {
                    "name": entity.name,
                    "collection": entity.collection,
                    "fields": len(entity.fields),
                    "relations": len(entity.relations),
                }
                for entity in entities
            ],
        }
        if not await self._databases.answers(project):
            return answer({"ok": False, "message": "the database is not available", **told})
        return answer({"ok": True, "message": "the database answers", **told})

    async def _told(self, trial: Awaitable[None], project: ProjectSettings) -> Reply:
        try:
            await trial
        except OctonetError as problem:
            if problem.code in ("UNKNOWN_DIALECT", "DRIVER_MISSING"):
                raise validation("$.dialect", problem.message) from None
            sentence = problem.message.replace(project.uri, masked(project.uri))
            return answer({"ok": False, "message": "it does not answer", "error": sentence}, HTTPStatus.OK)
        return answer({"ok": True, "message": "it answers", "dialect": project.dialect})


_NOTHING = [{"name": "Nothing", "collection": "nothing", "fields": {}}]
"""A project has entities; one that is only tried out is not asked for them."""
