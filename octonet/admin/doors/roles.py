"""`/api/admin/roles` and `/api/admin/permissions/matrix`: what roles give. Changing that takes everything: whoever
could do it could have it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from octonet.admin.authority import Authority, LetIn
from octonet.admin.http import body, nowhere, ok, only, steps
from octonet.admin.rights import BYPASS
from octonet.admin.roles import MatrixChange, NewRole, RoleChange, Roles
from octonet.transport import HttpDoor, Incoming, Reply


class RolesDoor:
    """`let_in` is the reception's."""

    def __init__(self, roles: Roles, let_in: LetIn, authority: Authority) -> None:
        self._roles = roles
        self._let_in = let_in
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/admin/roles": self.roles, "/api/admin/permissions/matrix": self.matrix}

    async def roles(self, incoming: Incoming) -> Reply:
        """List, add, show, change, remove."""
        by = await self._let_in(incoming)
        await self._authority.check(by, BYPASS)
        match steps(incoming):
            case [""]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return ok(await self._roles.create(by, body(incoming, NewRole)), HTTPStatus.CREATED)
                return ok(await self._roles.every(by))
            case [role]:
                only(incoming, "GET", "PUT", "DELETE")
                if incoming.method == "GET":
                    return ok(await self._roles.find(by, role))
                if incoming.method == "PUT":
                    return ok(await self._roles.change(by, role, body(incoming, RoleChange)))
                await self._roles.remove(by, role)
                return ok(True)
            case _:
                raise nowhere(incoming)

    async def matrix(self, incoming: Incoming) -> Reply:
        """Every role and every permission; which ones change."""
        by = await self._let_in(incoming)
        await self._authority.check(by, BYPASS)
        if steps(incoming) != [""]:
            raise nowhere(incoming)
        only(incoming, "GET", "POST")
        if incoming.method == "GET":
            return ok(await self._roles.matrix(by))
        applied = await self._roles.apply(by, body(incoming, MatrixChange).changes)
        return ok({"applied": applied, "message": f"{applied} changed"})
