"""Accounts: what belongs to whom. An account's owner and its members see what is its own; a portal sees its children's
too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import msgspec

from octonet.access import permissions
from octonet.access.permissions import EVERYTHING, OPERATIONS, PROJECTS, TRANSPORTS, Permissions
from octonet.access.principal import Visitor
from octonet.admin.system import SystemProject
from octonet.kernel.errors import NotFound, OctonetError
from octonet.kernel.ids import Row
from octonet.kernel.instant import iso
from octonet.kernel.operation import Raw, Request

_ENTITY = "Account"

ProjectsOf: TypeAlias = Callable[[Visitor, frozenset[str]], Awaitable[frozenset[str]]]
"""The names of the projects that belong to any of these accounts."""


async def no_projects(by: Visitor, accounts: frozenset[str]) -> frozenset[str]:
    """Where projects belong to nobody."""
    return frozenset()


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An account to be. `owner`, `members`: ids of users; `parent`: id of an account."""

    name: str
    type: str = "personal"
    plan: str = "free"
    owner: str | None = None
    parent: str | None = None
    members: list[str] = []


class AccountChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What may be changed of an account."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    plan: str | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    owner: str | None | msgspec.UnsetType = msgspec.UNSET
    parent: str | None | msgspec.UnsetType = msgspec.UNSET
    members: list[str] | msgspec.UnsetType = msgspec.UNSET


class Accounts:
    """Reads them anew each time: whoever was taken out of an account sees nothing of it from then on. `now` tells
    milliseconds since 1970."""

    def __init__(self, system: SystemProject, now: Callable[[], int], projects_of: ProjectsOf = no_projects) -> None:
        self._system = system
        self._now = now
        self._projects_of = projects_of

    async def owner(self, by: Visitor, account: str) -> str | None:
        """The id of the user who owns an account; None without one, and for accounts that are not active."""
        row = await self._system.find(by, _ENTITY, account)
        if row is None or row["status"] != "active" or row["owner"] is None:
            return None
        return str(row["owner"])

    async def every(self, by: Visitor) -> list[Row]:
        """All accounts, by name."""
        return await self._system.every(by, _ENTITY, sort={"name": 1})

    async def create(self, by: Visitor, wish: NewAccount) -> Row:
        """Open one. Raises `ValidationError`, `Conflict` when its name is taken."""
        return await self._system.create(by, _ENTITY, msgspec.to_builtins(wish))

    async def change(self, by: Visitor, account: str, change: AccountChange) -> Row:
        """Change one. The keys of one that is not active any more open nothing. Raises `NotFound`, `ValidationError`,
        `Conflict`."""
        row = await self._system.write(by, Request("update", _ENTITY, account, data=msgspec.to_builtins(change)))
        if row is None:
            raise NotFound("there is no such account")
        return row

    async def allowed(self, by: Visitor) -> frozenset[str]:
        """The ids of the accounts whose belongings the visitor may see."""
        # All are read, because members cannot be searched for; the office is asked rarely.
        rows = await self._system.every(by, _ENTITY, {"status": "active"})
        return allowed(by.principal.user, by.principal.account, rows)

    async def held(self, by: Visitor, accounts: frozenset[str]) -> tuple[Permissions, ...]:
        """What these accounts have: what each of their keys opens, as long as it does, and their own projects."""
        where: dict[str, Raw] = {"account": {"$in": sorted(accounts)}, "enabled": True}
        now = iso(self._now())
        rows = await self._system.every(by, "ApiKey", where)
        current = [row for row in rows if row["expiresAt"] is None or str(row["expiresAt"]) > now]
        own = await self._projects_of(by, accounts)
        return (*map(_opened, current), _owned(own))


def allowed(user: str, account: str, rows: Iterable[Row]) -> frozenset[str]:
    """The accounts, of those in `rows`, that a person or a key of an account may see: their own, and the children of
    those that are portals. `user`, `account`: ids, empty where there is none."""
    every = list(rows)
    own = {str(row["id"]) for row in every if _belongs(row, user, account)}
    portals = {row["id"] for row in every if row["id"] in own and row["type"] == "portal"}
    return frozenset(own | {str(row["id"]) for row in every if row["parent"] in portals})


def _belongs(row: Row, user: str, account: str) -> bool:
    if account:
        return row["id"] == account
    members = row["members"]
    return bool(user) and (row["owner"] == user or (isinstance(members, list) and user in members))


def _owned(projects: frozenset[str]) -> Permissions:
    every = frozenset((EVERYTHING,))
    return Permissions({PROJECTS: projects, OPERATIONS: every, TRANSPORTS: every})


def _opened(row: Row) -> Permissions:
    """What a stored key may do; nothing where that cannot be read."""
    try:
        return permissions.parse(row["permissions"])
    except OctonetError:
        return Permissions({})
