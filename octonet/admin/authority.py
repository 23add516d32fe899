"""Who may do what in the office, as roles, accounts and keys say at the moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeAlias

import msgspec

from octonet.access.permissions import EVERYTHING, OPERATIONS, PROJECTS
from octonet.access.principal import Visitor
from octonet.admin.accounts import Accounts
from octonet.admin.rights import NONE, Rights, family, is_of_a_project, of_roles, without_account
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Denied
from octonet.kernel.ids import JsonValue, ProjectName, Row
from octonet.kernel.operation import Family
from octonet.transport import Incoming

LetIn: TypeAlias = Callable[[Incoming], Awaitable[Visitor]]
"""Establishes who sent a request, or raises `Unauthenticated`."""


class Meant(Protocol):
    """How the project is found that a request is about."""

    def __call__(self, incoming: Incoming, asked: str | None = None) -> ProjectName:
        """Its name; `asked`: as the query string has it. Raises `Invalid` with code PROJECT_CONFLICT, `NotFound`."""
        ...


class Granted(msgspec.Struct, frozen=True):
    """Roles by name, and the permissions that they give, by code."""

    roles: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


class Authority:
    """Evaluates permissions. Fails closed: what is not granted is refused, and so is everything while the system
    project cannot be read. Nothing is kept: the office is asked rarely, and what is taken away must be gone."""

    def __init__(self, system: SystemProject, accounts: Accounts) -> None:
        self._system = system
        self._accounts = accounts

    async def check(self, by: Visitor, permission: str, project: str = EVERYTHING) -> Rights:
        """What the visitor may do. Raises `Denied` unless they have the permission, in `project` where it is about one
        (by default: in every project); `Unavailable`."""
        rights = await self.rights(by)
        if rights.allow(permission, project) and (await self._reach(by, rights, permission))(project):
            return rights
        raise Denied(f"this takes the permission {permission!r}")

    async def among(self, by: Visitor, permission: str, projects: Iterable[str]) -> frozenset[str]:
        """Those of the projects in which the visitor has the permission. Raises `Unavailable`."""
        rights = await self.rights(by)
        reaches = await self._reach(by, rights, permission)
        return frozenset(project for project in projects if rights.allow(permission, project) and reaches(project))

    async def rights(self, by: Visitor) -> Rights:
        """What the visitor may do. Raises `Unauthenticated`, `Unavailable`."""
        who = by.principal
        who.check_scopes({})
        if who.user:
            return await self.of_user(by, who.user)
        if who.account:
            return (await self.of_account(by, who.account)).narrowed(who.permissions)
        return without_account(who.permissions)

    async def of_account(self, by: Visitor, account: str) -> Rights:
        """What the owner of an account may do; nothing where there is none."""
        owner = await self._accounts.owner(by, account)
        return NONE if owner is None else await self.of_user(by, owner)

    async def of_user(self, by: Visitor, user: str) -> Rights:
        """What a person may do; nothing unless they are active."""
        row = await self._system.find(by, "User", user)
        if row is None or row["status"] != "active":
            return NONE
        return await self.of_roles(by, row["roles"])

    async def of_roles(self, by: Visitor, roles: JsonValue) -> Rights:
        """What roles give, by a list of their ids."""
        granted = await self.granted(by, roles)
        return of_roles(granted.roles, granted.codes)

    async def granted(self, by: Visitor, roles: JsonValue) -> Granted:
        """The roles of these ids, as far as there are such."""
        ids = roles if isinstance(roles, list) else []
        if not ids:
            return Granted()
        rows = await self._system.every(by, "Role", {"id": {"$in": ids}})
        permissions = {id for row in rows for id in _ids(row)}
        codes = await self._system.every(by, "Permission", {"id": {"$in": sorted(permissions)}})
        return Granted(tuple(str(row["name"]) for row in rows), tuple(sorted(str(row["code"]) for row in codes)))

    async def _reach(self, by: Visitor, rights: Rights, permission: str) -> Callable[[str], bool]:
        """Whether somebody who is logged in reaches a project: as who may see any, or by what their accounts have. A
        key says itself which ones it opens."""
        if not by.principal.user or rights.everything or not is_of_a_project(permission):
            return lambda project: True
        through = family(permission)
        if rights.allow("project:read:any" if through is Family.READ else "project:write:any"):
            return lambda project: True
        held = await self._accounts.held(by, await self._accounts.allowed(by))
        return lambda project: any(one.grants(PROJECTS, project) and one.grants(OPERATIONS, through) for one in held)


def _ids(row: Row) -> list[str]:
    found = row["permissions"]
    return [str(id) for id in found] if isinstance(found, list) else []
