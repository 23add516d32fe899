"""What somebody may do in the office: permissions by code, as the RBAC seed names them, narrowed by the scopes of the
key that they come with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from octonet.access.permissions import EVERYTHING, OPERATIONS, PROJECTS, UNLIMITED, Permissions
from octonet.kernel.operation import Family

BYPASS: Final = "admin:bypass"
"""Stands for every permission, those to come included."""
ADMINISTRATOR: Final = "admin"
"""The role that may do everything, whatever is written in it."""
_READS: Final = frozenset(
    {
        "net:health:read",
        "net:metrics:read",
        "project:list",
        "project:read",
        "project:read:any",
        "schema:read",
        "schema:compare",
        "apikey:list",
        "user:read",
        "user:list",
    }
)
_WRITES: Final = frozenset({"project:write", "project:write:any"})
_OWN: Final = frozenset({"apikey:list", "apikey:create", "apikey:revoke", "user:read", "user:update"})
"""About what is one's own: no project matters to them."""
_OF_A_PROJECT: Final = ("project:", "schema:")
_WITHOUT_ACCOUNT: Final = frozenset(
    {
        "project:list",
        "project:read",
        "schema:read",
        "schema:compare",
        "project:update",
        "schema:upload",
        "schema:apply",
    }
)
"""What a key without an account may do in the projects it opens."""


class Rights(msgspec.Struct, frozen=True):
    """What somebody may do: their permissions, as far as `scopes` let them through."""

    codes: frozenset[str] = frozenset()
    scopes: Permissions = UNLIMITED

    @property
    def everything(self) -> bool:
        """Whether nothing is forbidden to them."""
        return BYPASS in self.codes and self.scopes == UNLIMITED

    def allow(self, permission: str, project: str = EVERYTHING) -> bool:
        """Whether they have a permission, in `project` where it is about one; by default in all of them."""
        if not self._has(permission, family(permission)):
            return False
        return permission in _OWN or self.scopes.grants(PROJECTS, project)

    def within(self, other: Rights) -> bool:
        """Whether whoever has the other ones may do all that these allow."""
        used = set(self._used())
        if not all(other._has(permission, through) for permission, through in used):
            return False
        wanted = self.scopes.scopes.get(PROJECTS, frozenset())
        return all(permission in _OWN for permission, _ in used) or all(
            other.scopes.grants(PROJECTS, project) for project in wanted
        )

    def narrowed(self, scopes: Permissions) -> Rights:
        """The same, as far as a key lets them through."""
        return Rights(self.codes, scopes)

    def _has(self, permission: str, through: Family) -> bool:
        return (permission in self.codes or BYPASS in self.codes) and self.scopes.grants(OPERATIONS, through)

    def _used(self) -> Iterator[tuple[str, Family]]:
        for permission in self.codes:
            # A bypass is as good as every family that the key has.
            for through in Family if permission == BYPASS else (family(permission),):
                if self.scopes.grants(OPERATIONS, through):
                    yield permission, through


NONE: Final = Rights()


def family(permission: str) -> Family:
    """The family of operations that a key must have for it; what is not known takes the most."""
    if permission in _READS:
        return Family.READ
    return Family.WRITE if permission in _WRITES else Family.ADMIN


def is_of_a_project(permission: str) -> bool:
    """Whether it is about a project that is there."""
    return permission.startswith(_OF_A_PROJECT) and permission != "project:create"


def without_account(scopes: Permissions) -> Rights:
    """What a key may do that belongs to nobody: everything, where it opens every project for administration."""
    if scopes.grants(OPERATIONS, Family.ADMIN) and scopes.grants(PROJECTS, EVERYTHING):
        return Rights(frozenset((BYPASS,)))
    return Rights(_WITHOUT_ACCOUNT, scopes)


def of_roles(names: Iterable[str], codes: Iterable[str]) -> Rights:
    """What these roles give, with all the permissions written in them."""
    more = (BYPASS,) if ADMINISTRATOR in names else ()
    return Rights(frozenset((*codes, *more)))
