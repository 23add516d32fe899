"""Sandboxes: a project, a person, an account and a key for whoever asks, removed when nobody used them for a while.

A sandbox is a row first, whose id is its alias: two that ask for the same one at the same time, on whatever process,
cannot both have it, and what was made for one that failed half-way is found and removed.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from octonet.access.keys import Environment
from octonet.access.principal import INSIDER, Visitor
from octonet.access.usage import ENTITY as USAGE
from octonet.admin.api_keys import ApiKeys, Wish
from octonet.admin.places import Places
from octonet.admin.projects import Projects
from octonet.admin.system import SystemProject
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Conflict, Exhausted, Invalid, NotFound, OctonetError, Unavailable
from octonet.kernel.ids import SANDBOXES, ProjectName, Row
from octonet.kernel.instant import iso, milliseconds
from octonet.kernel.operation import Raw, Request
from octonet.kernel.schema import Schemas
from octonet.projects_tree import ProjectSettings

log = logging.getLogger("octonet.access")

_ENTITY: Final = "Sandbox"
_FORBIDDEN: Final = re.compile(r"[/\\%\0]|\.\.")
"""Signs of somebody who looks for a way out of a directory: they are told, not spelled anew."""
_STRANGE: Final = re.compile(r"[^a-z0-9-]")
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{2,29}")
_HOUR: Final = 3_600_000
_DAY: Final = 86_400_000
DAILY: Final = 500
"""Requests a day."""
PERMISSIONS: Final[dict[str, Raw]] = {"operations": ["read", "write"], "transports": ["rest", "mcp"]}


class BadAlias(Invalid):
    """The alias cannot be one."""

    default_code = "BAD_ALIAS"


class TooMany(Exhausted):
    """The address made as many sandboxes as it may for now."""

    default_code = "RATE_LIMIT"

    def __init__(self, most: int, seconds: int) -> None:
        super().__init__(f"{most} sandboxes an hour are the most for one address; the next in {seconds} s")
        self.retry_after = seconds


class Limits(msgspec.Struct, frozen=True):
    """How many sandboxes there may be, and for how long (milliseconds) without a use."""

    life: int
    per_hour: int
    most: int


class Made(msgspec.Struct, frozen=True):
    """A new sandbox. `key` is shown this once; `left`: how many more the address may make this hour."""

    alias: str
    project: ProjectSettings
    key: str
    prefix: str
    permissions: dict[str, Raw]
    expires: str
    left: int


class Sandboxes:
    """`schemas` gives the entities of a new one; `now` tells milliseconds since 1970."""

    def __init__(
        self,
        system: SystemProject,
        projects: Projects,
        api_keys: ApiKeys,
        places: Places,
        schemas: Callable[[], Schemas],
        limits: Limits,
        now: Callable[[], int],
    ) -> None:
        self._system = system
        self._projects = projects
        self._api_keys = api_keys
        self._places = places
        self._schemas = schemas
        self._limits = limits
        self._now = now

    async def make(self, alias: str | None, address: str) -> Made:
        """A new sandbox, for somebody at this address. Raises `BadAlias`, `Conflict` with code ALIAS_TAKEN, `TooMany`,
        `Unavailable`."""
        by = _by(address)
        alias = slug(alias)
        await self._reserve(by, alias, address)
        try:
            left = await self._admit(by, alias, address)
            return await self._fill(by, alias, left)
        except OctonetError:
            await self._end(by, alias)
            raise

    async def end_those_that_are_over(self) -> int:
        """Remove whatever nobody used for long; returns how many there were. Raises `OctonetError`."""
        by = _by("")
        ended = 0
        for row in await self._system.every(by, _ENTITY):
            used = await self._last_use(by, row)
            if used + self._limits.life <= self._now():
                await self._end(by, str(row["id"]))
                ended += 1
            else:
                await self._prolong(by, row, used)
        return ended

    async def _reserve(self, by: Visitor, alias: str, address: str) -> None:
        try:
            await self._system.create(by, _ENTITY, {"id": alias, "origin": address})
        except Conflict:
            raise Conflict(f"there is a sandbox {alias!r} already", code="ALIAS_TAKEN") from None

    async def _admit(self, by: Visitor, alias: str, address: str) -> int:
        """How many more the address may make; counted with the new one in it, so that no two pass together."""
        limits = self._limits
        if await self._system.count(by, _ENTITY, {}) > limits.most:
            raise Unavailable("there are as many sandboxes as there may be; try again later", code="UNAVAILABLE")
        since = self._now() - _HOUR
        where: dict[str, Raw] = {"origin": address, "createdAt": {"$gt": iso(since)}}
        recent = await self._system.every(by, _ENTITY, where, sort={"createdAt": 1})
        if len(recent) > limits.per_hour:
            oldest = milliseconds(str(recent[-limits.per_hour - 1]["createdAt"]))
            raise TooMany(limits.per_hour, max((oldest - since) // 1000, 0) + 1)
        return limits.per_hour - len(recent)

    async def _fill(self, by: Visitor, alias: str, left: int) -> Made:
        name = ProjectName(f"{SANDBOXES}{alias}")
        user = await self._system.create(by, "User", _person(alias))
        account: dict[str, Raw] = {"id": name, "name": name, "type": "trial", "plan": "trial", "owner": user["id"]}
        await self._system.create(by, "Account", account)
        project = ProjectSettings(name, self._schemas(), "sqlite", self._places.sandbox(alias))
        project = await self._projects.serve(by, project, name)
        expires = iso(self._now() + self._limits.life)
        permissions: dict[str, Raw] = {"projects": [name], **PERMISSIONS}
        wish = Wish(
            f"trial-{alias}", {"scopes": permissions, "rateLimit": DAILY}, Environment.TEST, expires, str(account["id"])
        )
        made = await self._api_keys.issue(by, wish)
        prefix = str(made.row["prefix"])
        held: Row = {"key": prefix, "user": user["id"]}
        await self._system.write(by, Request("update", _ENTITY, alias, data=held))
        return Made(alias, project, made.text, prefix, permissions, expires, left)

    async def _last_use(self, by: Visitor, row: Row) -> int:
        """Milliseconds since 1970."""
        made = milliseconds(str(row["createdAt"]))
        if row["key"] is None:
            return made
        uses = await self._system.every(by, USAGE, {"key": row["key"]})
        return max([made, *(milliseconds(str(use["lastUsedAt"])) for use in uses if use["lastUsedAt"] is not None)])

    async def _prolong(self, by: Visitor, row: Row, used: int) -> None:
        """The key ends with the sandbox. Not at each use: a change ends what is open under the key."""
        key = None if row["key"] is None else await self._system.find(by, "ApiKey", str(row["key"]))
        if key is None:
            return
        end = used + self._limits.life
        if end - milliseconds(str(key["expiresAt"])) > min(_DAY, self._limits.life // 7):
            await self._system.write(by, Request("update", "ApiKey", key["id"], data={"expiresAt": iso(end)}))

    async def _end(self, by: Visitor, alias: str) -> None:
        """All of it, in an order that can be taken up again; the row goes last."""
        name = f"{SANDBOXES}{alias}"
        for key in await self._system.every(by, "ApiKey", {"account": name}, select=["id"]):
            await self._system.write(by, Request("delete", "ApiKey", key["id"]))
            for use in await self._system.every(by, USAGE, {"key": key["id"]}, select=["id"]):
                await self._system.write(by, Request("delete", USAGE, use["id"]))
        try:
            await self._projects.remove(by, name, erase=True)
        except NotFound:
            log.debug("sandbox %s has no project", alias)
        for entity, where in (("Account", {"id": name}), ("User", {"email": _email(alias)})):
            for found in await self._system.every(by, entity, dict(where), select=["id"]):
                await self._system.write(by, Request("delete", entity, found["id"]))
        await self._system.write(by, Request("delete", _ENTITY, alias))


def slug(alias: str | None) -> str:
    """How an alias is spelled; one of ours where none is given. Raises `BadAlias`."""
    if alias is None or not alias.strip():
        return f"anon-{secrets.token_hex(3)}"
    if _FORBIDDEN.search(alias):
        raise BadAlias("an alias is a name, not a path")
    found = _STRANGE.sub("-", alias.strip().lower())
    if not _SLUG.fullmatch(found):
        raise BadAlias("an alias has 3 to 30 letters, digits and hyphens, no hyphen first")
    return found


def _by(address: str) -> Visitor:
    return Visitor(INSIDER, Actor(transport="try", address=address))


def _email(alias: str) -> str:
    return f"{alias}@trial.octonet.amia.fr"


def _person(alias: str) -> dict[str, Raw]:
    # No password has this hash: nobody logs in.
    return {"email": _email(alias), "password": "!", "firstName": alias, "lastName": "Trial", "roles": ["trial"]}
