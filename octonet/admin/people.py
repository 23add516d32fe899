"""People: who may log in to the office, and in which roles.

Nobody makes somebody more powerful than themselves, and nobody takes over such a one: roles that are given, and the
people who are changed, must be within the rights of whoever does it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.access.passwords import Passwords, check_new
from octonet.access.principal import Visitor
from octonet.admin.authority import Authority
from octonet.admin.login import Login
from octonet.admin.rights import Rights
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Conflict, Denied, NotFound, Unauthenticated, validation
from octonet.kernel.ids import Row
from octonet.kernel.operation import Raw, Request

_ENTITY: Final = "User"
_TAKEN: Final = "UNIQUE_VIOLATION"
_LONGEST_EMAIL: Final = 254
_NOT_OWN: Final = ("roles", "status")
"""What nobody changes of themselves."""
_GUARDED: Final = ("email", "password")
"""What takes the present password: a browser left open is not enough."""


class NewPerson(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Somebody to be."""

    email: str
    password: str
    first_name: str
    last_name: str
    phone: str | None = None
    avatar: str | None = None
    locale: str = "fr"
    roles: list[str] = []
    """Ids."""


class PersonChange(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What may be changed of somebody."""

    email: str | msgspec.UnsetType = msgspec.UNSET
    password: str | msgspec.UnsetType = msgspec.UNSET
    first_name: str | msgspec.UnsetType = msgspec.UNSET
    last_name: str | msgspec.UnsetType = msgspec.UNSET
    phone: str | None | msgspec.UnsetType = msgspec.UNSET
    avatar: str | None | msgspec.UnsetType = msgspec.UNSET
    locale: str | msgspec.UnsetType = msgspec.UNSET
    roles: list[str] | msgspec.UnsetType = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET
    current_password: str = ""
    """Of whoever changes their own e-mail or password."""


class People:
    """The users of an installation. Their passwords, and whatever else is secret of them, are in no answer."""

    def __init__(self, system: SystemProject, authority: Authority, login: Login, passwords: Passwords) -> None:
        self._system = system
        self._authority = authority
        self._login = login
        self._passwords = passwords

    async def every(self, by: Visitor) -> list[Row]:
        """All people, the newest last. Raises `Denied`."""
        await self._authority.check(by, "user:list")
        return await self._system.every(by, _ENTITY, sort={"createdAt": 1})

    async def find(self, by: Visitor, id: str) -> Row:
        """One of them. Raises `Denied`, `NotFound`."""
        await self._authority.check(by, "user:read" if by.principal.user == id else "user:list")
        return await self._there(by, id)

    async def create(self, by: Visitor, wish: NewPerson) -> Row:
        """Let somebody in. Raises `Denied`, `ValidationError`, `Conflict` with code DUPLICATE."""
        rights = await self._authority.check(by, "user:create")
        _check_email(wish.email)
        check_new(wish.password, "$.password")
        await self._check_roles(by, rights, wish.roles)
        row = msgspec.to_builtins(wish) | {"password": await self._passwords.hash(wish.password)}
        return await self._written(by, Request("create", _ENTITY, data=row))

    async def change(self, by: Visitor, id: str, change: PersonChange) -> Row:
        """Change somebody, or oneself. Raises `Denied`, `NotFound`, `ValidationError`, `Conflict` with code DUPLICATE;
        `Unauthenticated` with code INVALID_CREDENTIALS when the present password is wrong."""
        data: dict[str, Raw] = msgspec.to_builtins(change)
        present = data.pop("currentPassword", None)
        await self._check_change(by, id, data)
        if isinstance(change.email, str):
            _check_email(change.email)
        if isinstance(change.password, str):
            check_new(change.password, "$.password")
        if by.principal.user == id and not data.keys().isdisjoint(_GUARDED):
            await self._check_present(by, id, present)
        if isinstance(change.password, str):
            data["password"] = await self._passwords.hash(change.password)
        row = await self._written(by, Request("update", _ENTITY, id, data=data))
        if "password" in data or row["status"] != "active":
            await self._login.end_all(by, id)
        return row

    async def disable(self, by: Visitor, id: str) -> Row:
        """They cannot log in any more, and are logged out everywhere. Raises `Denied`, `NotFound`."""
        rights = await self._authority.check(by, "user:delete")
        if by.principal.user == id:
            raise Denied("nobody disables themselves")
        await self._check_person(by, rights, await self._there(by, id))
        row = await self._written(by, Request("update", _ENTITY, id, data={"status": "disabled"}))
        await self._login.end_all(by, id)
        return row

    async def _check_change(self, by: Visitor, id: str, data: dict[str, Raw]) -> None:
        if by.principal.user == id:
            await self._authority.check(by, "user:update")
            if not data.keys().isdisjoint(_NOT_OWN):
                raise Denied("nobody changes their own roles or status")
            return
        rights = await self._authority.check(by, "user:update:any")
        await self._check_person(by, rights, await self._there(by, id))
        if "roles" in data:
            await self._check_roles(by, rights, data["roles"])

    async def _check_person(self, by: Visitor, rights: Rights, row: Row) -> None:
        """Whether they may do no more than whoever changes them. Raises `Denied`."""
        # By their roles, whatever their status is: one who is disabled may come back.
        theirs = await self._authority.of_roles(by, row["roles"])
        if not theirs.within(rights):
            raise Denied("they may do more than you")

    async def _check_roles(self, by: Visitor, rights: Rights, roles: Raw) -> None:
        given = await self._authority.of_roles(by, roles if isinstance(roles, list) else [])
        if not given.within(rights):
            raise Denied("roles can give no more than their giver may do")

    async def _check_present(self, by: Visitor, id: str, present: Raw) -> None:
        if not isinstance(present, str) or not await self._login.verify(by, id, present):
            raise Unauthenticated("the present password is wrong", code="INVALID_CREDENTIALS")

    async def _there(self, by: Visitor, id: str) -> Row:
        row = await self._system.find(by, _ENTITY, id)
        if row is None:
            raise NotFound("there is no such user")
        return row

    async def _written(self, by: Visitor, request: Request) -> Row:
        try:
            row = await self._system.write(by, request)
        except Conflict as problem:
            if problem.code != _TAKEN:
                raise
            raise Conflict("this e-mail is taken", code="DUPLICATE", faults=problem.faults) from None
        if row is None:
            raise NotFound("there is no such user")
        return row


def _check_email(email: str) -> None:
    name, _, domain = email.strip().rpartition("@")
    fits = len(email) <= _LONGEST_EMAIL and email.isprintable() and not any(map(str.isspace, name + domain))
    if not (name and domain and fits):
        raise validation("$.email", "must be an e-mail address")
