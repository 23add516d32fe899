"""Who may do what in the office: permissions by code, as the RBAC seed names them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from octonet.access.permissions import EVERYTHING, OPERATIONS, PROJECTS
from octonet.access.principal import Visitor
from octonet.kernel.errors import Denied
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family
from octonet.transport import Incoming

LetIn: TypeAlias = Callable[[Incoming], Awaitable[Visitor]]
"""Establishes who sent a request, or raises `Unauthenticated`."""
Meant: TypeAlias = Callable[[Incoming], ProjectName]
"""The project that a request is about. Raises `Invalid`, `NotFound`."""

_OF_A_PROJECT: Final = {
    "project:list": Family.READ,
    "project:read": Family.READ,
    "schema:read": Family.READ,
    "schema:compare": Family.READ,
    "project:update": Family.ADMIN,
    "schema:upload": Family.ADMIN,
    "schema:apply": Family.ADMIN,
}
"""What a key without an account may do in the projects it opens, and the family of operations that it needs for it."""


class Authority:
    """Evaluates permissions. Fails closed: what is not granted is refused."""

    async def check(self, by: Visitor, permission: str, project: str = EVERYTHING) -> None:
        """Raises `Denied` unless the visitor has the permission, in `project` where it is about one."""
        by.principal.check_scopes({})
        granted = by.principal.permissions
        if granted.grants(OPERATIONS, Family.ADMIN) and granted.grants(PROJECTS, EVERYTHING):
            return
        family = _OF_A_PROJECT.get(permission)
        if family is None or not (granted.grants(OPERATIONS, family) and granted.grants(PROJECTS, project)):
            raise Denied(f"this takes the permission {permission!r}")
