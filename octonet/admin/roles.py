"""Roles: which permissions they give."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.access.principal import Visitor
from octonet.admin.rights import ADMINISTRATOR
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Conflict, Denied, NotFound
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.operation import Request

_ENTITY: Final = "Role"
_SEEDED: Final = frozenset({ADMINISTRATOR, "subscriber", "trial", "public"})
"""They are made again at each start, so they are not removed."""


class NewRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A role to be. `permissions`: ids."""

    name: str
    description: str | None = None
    permissions: list[str] = []


class RoleChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What may be changed of a role."""

    description: str | None | msgspec.UnsetType = msgspec.UNSET
    permissions: list[str] | msgspec.UnsetType = msgspec.UNSET


class Cell(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One field of the matrix."""

    role_id: str
    permission_id: str
    granted: bool


class MatrixChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fields that change."""

    changes: list[Cell]


class Roles:
    """The roles of an installation."""

    def __init__(self, system: SystemProject) -> None:
        self._system = system

    async def every(self, by: Visitor) -> list[Row]:
        """All roles, by name, each with the ids of its permissions."""
        return await self._system.every(by, _ENTITY, sort={"name": 1})

    async def find(self, by: Visitor, role: str) -> Row:
        """One of them. Raises `NotFound`."""
        row = await self._system.find(by, _ENTITY, role)
        if row is None:
            raise NotFound("there is no such role")
        return row

    async def create(self, by: Visitor, wish: NewRole) -> Row:
        """Add one, which is its name's. Raises `ValidationError`, `Conflict` when its name is taken."""
        return await self._system.create(by, _ENTITY, {**msgspec.to_builtins(wish), "id": wish.name})

    async def change(self, by: Visitor, role: str, change: RoleChange) -> Row:
        """Change one; whoever has it notices at once. Raises `NotFound`, `ValidationError`, `Denied` with code
        SYSTEM_PROTECTED for the administrator's, who may do everything whatever is written there."""
        await self.find(by, role)
        _check_changeable(role)
        row = await self._system.write(by, Request("update", _ENTITY, role, data=msgspec.to_builtins(change)))
        assert row is not None
        return row

    async def remove(self, by: Visitor, role: str) -> None:
        """Remove one. Raises `NotFound`; `Denied` with code SYSTEM_PROTECTED for those that every installation has;
        `Conflict` with code IN_USE while somebody has it."""
        await self.find(by, role)
        if role in _SEEDED:
            raise Denied("every installation has this role", code="SYSTEM_PROTECTED")
        for user in await self._system.every(by, "User", select=["roles"]):
            held = user["roles"]
            if isinstance(held, list) and role in held:
                raise Conflict("somebody has this role", code="IN_USE")
        await self._system.write(by, Request("delete", _ENTITY, role))

    async def matrix(self, by: Visitor) -> dict[str, object]:
        """Roles, categories, and for each role and permission, by their ids, whether one gives the other."""
        roles = await self.every(by)
        categories = await self._system.every(by, "PermissionCategory", sort={"order": 1})
        permissions = [str(row["id"]) for row in await self._system.every(by, "Permission", sort={"code": 1})]
        matrix = {
            str(role["id"]): {id: id in _permissions(role["permissions"]) for id in permissions} for role in roles
        }
        labels = {str(row["name"]): row["label"] for row in categories}
        return {"roles": roles, "categories": categories, "categoryLabels": labels, "matrix": matrix}

    async def apply(self, by: Visitor, changes: list[Cell]) -> int:
        """Change fields of the matrix; returns how many. Those before one that fails stay. Raises as `change` does."""
        for cell in changes:
            _check_changeable(cell.role_id)
            op = "addToSet" if cell.granted else "pull"
            where = Request(op, _ENTITY, cell.role_id, field="permissions", value=cell.permission_id)
            await self._system.write(by, where)
        return len(changes)


def _permissions(ids: JsonValue) -> frozenset[str]:
    return frozenset(str(id) for id in ids) if isinstance(ids, list) else frozenset()


def _check_changeable(role: str) -> None:
    if role == ADMINISTRATOR:
        raise Denied("the administrator's role is as it is", code="SYSTEM_PROTECTED")
