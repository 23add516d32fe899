"""Who is behind a request, once that was established, and what they may do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from octonet.access.permissions import OPERATIONS, PROJECTS, TRANSPORTS, UNLIMITED, Permissions
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Denied, Unauthenticated
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family

REVOKED: Final = "Invalid or revoked API key"
_MOST_GRANTED: Final = 1024
_NOTHING: Final[frozenset[Family]] = frozenset()


class Principal:
    """One verified key, for as long as it stays verified, or one person who is logged in: then `user` is their id, and
    there is no key. `expires`: milliseconds since 1970, 0 for never."""

    __slots__ = (
        "__weakref__",
        "_families",
        "_granted",
        "_watchers",
        "account",
        "address",
        "expires",
        "key",
        "limited",
        "permissions",
        "revoked",
        "until",
        "user",
        "uses",
    )

    def __init__(self, key: str, account: str, permissions: Permissions, expires: int = 0, user: str = "") -> None:
        self.user = user
        self.key = key
        self.account = account
        self.permissions = permissions
        self.expires = expires
        self.limited = bool(permissions.daily or permissions.per_second)
        """Whether there is anything to ask before each use."""
        self.revoked = False
        self.until = 0.0
        """Until when whoever shows the key again may be let in without another look, by `time.monotonic`."""
        self.uses = 0
        """How often it was used since that was last written; `address` is where the last time from."""
        self.address = ""
        self._granted: set[tuple[ProjectName, Family, str]] = set()
        self._families: dict[tuple[ProjectName, str], frozenset[Family]] = {}
        self._watchers: set[Callable[[], None]] = set()

    @property
    def daily(self) -> int:
        """How often it may be used a day; 0: any number."""
        return self.permissions.daily

    @property
    def per_second(self) -> int:
        """How often it may be used a second; 0: any number."""
        return self.permissions.per_second

    def check(self, project: ProjectName, family: Family, transport: str) -> None:
        """Raises `Denied` naming the first scope that is not granted, `Unauthenticated` when the key was revoked
        meanwhile."""
        if self.revoked:
            raise Unauthenticated(REVOKED)
        wanted = (project, family, transport)
        if wanted in self._granted:
            return
        self.check_scopes({PROJECTS: project, OPERATIONS: family, TRANSPORTS: transport})
        if len(self._granted) < _MOST_GRANTED:
            self._granted.add(wanted)

    def families(self, project: ProjectName, transport: str) -> frozenset[Family]:
        """What may be asked of a project at a door."""
        if self.revoked:
            return _NOTHING
        found = self._families.get((project, transport))
        if found is None:
            grants = self.permissions.grants
            opens = grants(PROJECTS, project) and grants(TRANSPORTS, transport)
            found = frozenset(family for family in Family if opens and grants(OPERATIONS, family))
            if len(self._families) < _MOST_GRANTED:
                self._families[project, transport] = found
        return found

    def check_scopes(self, wanted: Mapping[str, str]) -> None:
        """The same for any scopes, by name."""
        if self.revoked:
            raise Unauthenticated(REVOKED)
        for scope, value in wanted.items():
            if not self.permissions.grants(scope, value):
                raise Denied(f'API key not authorized for {scope}="{value}"')

    def is_as(self, other: Principal) -> bool:
        """Whether the other one says the same of the same key, and this one still counts."""
        mine = (self.key, self.account, self.permissions, self.expires)
        return not self.revoked and mine == (other.key, other.account, other.permissions, other.expires)

    def watch(self, ended: Callable[[], None]) -> Callable[[], None]:
        """Be told, once, when the key is revoked; returns how to stop listening. One that was revoked since it was let
        in is told of on the next turn of the loop, when whoever listens has begun."""
        if self.revoked:
            asyncio.get_running_loop().call_soon(ended)
        self._watchers.add(ended)
        return lambda: self._watchers.discard(ended)

    def revoke(self) -> None:
        """It does not count any more, from now on and wherever it is in use."""
        self.revoked = True
        self.until = 0.0
        watchers, self._watchers = self._watchers, set()
        for ended in watchers:
            ended()


class Visitor(msgspec.Struct, frozen=True):
    """Somebody who was let in: only the gate makes one, and for people, the office's reception."""

    principal: Principal
    actor: Actor


class Caller(msgspec.Struct, frozen=True):
    """Somebody at the door: what their request says of them. `credential` is the API key as it came, `ticket` what
    stands for one; both empty without."""

    actor: Actor
    credential: str = ""
    ticket: str = ""


INSIDER: Final = Principal("", "", UNLIMITED)
"""Whoever works on this machine itself: the command line, and Octonet's own housekeeping."""
