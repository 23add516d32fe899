"""Logging in and out: a password becomes a session, a row of the system project that every process knows, and a token
that names it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from octonet.access.attempts import Attempts, household
from octonet.access.passwords import Passwords
from octonet.access.permissions import Permissions
from octonet.access.principal import Principal, Visitor
from octonet.access.sessions import SessionTokens
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Unauthenticated
from octonet.kernel.ids import EntityId, Row
from octonet.kernel.instant import iso, milliseconds
from octonet.kernel.operation import Request
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Database

_SESSION, _USER = "Session", "User"
_MINUTE: Final = 60_000
_PER_EMAIL: Final = 5
"""Failures a minute, on each process, until somebody must wait."""
_PER_ADDRESS: Final = 20
_NOBODY: Final = "nobody"
"""No user's id: those are UUIDs."""
_NOTHING: Final = Permissions({})


class Session(msgspec.Struct, frozen=True):
    """Somebody who is logged in."""

    id: str
    user: Row
    """As it may be shown."""
    expires: int
    """Milliseconds since 1970."""

    @property
    def principal(self) -> Principal:
        """Who they are. No door to data lets them through: that takes a key."""
        return Principal("", "", _NOTHING, self.expires, str(self.user["id"]))


class Login:
    """`database` gives the system project's as it is now, `users` is its schema of people; `life`: seconds that
    a session lasts; `now` tells milliseconds since 1970."""

    def __init__(
        self,
        system: SystemProject,
        database: Callable[[], Database],
        users: EntitySchema,
        passwords: Passwords,
        tokens: SessionTokens,
        life: int,
        now: Callable[[], int],
    ) -> None:
        self._system = system
        self._database = database
        self._users = users
        self._passwords = passwords
        self._tokens = tokens
        self._life = life * 1000
        self._now = now
        self._by_address = Attempts(_PER_ADDRESS, _MINUTE, now)
        self._by_email = Attempts(_PER_EMAIL, _MINUTE, now)

    async def login(self, by: Visitor, email: str, password: str) -> tuple[Session, str]:
        """A new session and its token. Raises `Unauthenticated` with code INVALID_CREDENTIALS, the same for whoever
        does not exist, after the same time; `TooManyAttempts`, `Exhausted`, `Unavailable`."""
        user = await self._verified(by, email.strip().lower(), password)
        if user is None:
            raise _refused()
        by = Visitor(by.principal, msgspec.structs.replace(by.actor, user=str(user.id)))
        session, token = await self._begin(by, user)
        # Somebody may have been disabled, and logged out everywhere, a moment before it began.
        if await self.resume(by, token) is None:
            await self.logout(by, session)
            raise _refused()
        return session, token

    async def resume(self, by: Visitor, token: str) -> Session | None:
        """The session of this token; None when it is over: logged out, expired, or its user not active any more or with
        another password. Raises `Unavailable`."""
        id = self._tokens.read(token, self._now())
        row = None if id is None else await self._system.find(by, _SESSION, id)
        if row is None:
            return None
        user = await self._stored(str(row["user"]))
        expires = milliseconds(str(row["expiresAt"]))
        if user is None or not user.active or expires <= self._now() or row["mark"] != self._mark(user):
            return None
        return Session(str(row["id"]), user.shown, expires)

    async def logout(self, by: Visitor, session: Session) -> None:
        """It is over, everywhere."""
        await self._system.write(by, Request("deleteMany", _SESSION, filter={"id": session.id}))

    async def end_all(self, by: Visitor, user: str) -> None:
        """All sessions of a user are over, also when they are active again."""
        await self._system.write(by, Request("deleteMany", _SESSION, filter={"user": user}))

    async def verify(self, by: Visitor, user: str, password: str) -> bool:
        """Whether this is the password of the user of this id. Raises as `login` does."""
        found = await self._stored(user)
        return found is not None and await self._verified(by, str(found.shown["email"]), password) is not None

    async def _verified(self, by: Visitor, email: str, password: str) -> _Stored | None:
        address = household(by.actor.address)
        self._by_address.take(address)
        self._by_email.take(email)
        row = await self._system.find_one(by, _USER, {"email": email})
        # Looked for as long where there is nobody.
        user = await self._stored(_NOBODY if row is None else str(row["id"]))
        right = await self._passwords.verify(password, "" if user is None else user.password)
        if not right or user is None or not user.active:
            return None
        self._by_address.give_back(address)
        self._by_email.give_back(email)
        return user

    async def _begin(self, by: Visitor, user: _Stored) -> tuple[Session, str]:
        now = self._now()
        id, until = secrets.token_hex(16), now + self._life
        expired: Row = {"user": user.id, "expiresAt": {"$lte": iso(now)}}
        await self._system.write(by, Request("deleteMany", _SESSION, filter=expired))
        await self._system.write(by, Request("update", _USER, user.id, data={"lastLoginAt": iso(now)}))
        row: Row = {"id": id, "user": user.id, "expiresAt": iso(until), "mark": self._mark(user)}
        await self._system.create(by, _SESSION, {**row})
        return Session(id, user.shown, until), self._tokens.give(id, until)

    async def _stored(self, id: str) -> _Stored | None:
        # Past the gateway, which shows no secrets to anybody.
        found = await self._database().whole(self._users, EntityId(id))
        if found is None:
            return None
        state = found.state
        shown = {name: value for name, value in state.items() if name not in self._users.secrets}
        return _Stored(id, {"id": id, **shown}, str(state["password"]), state["status"] == "active")

    def _mark(self, user: _Stored) -> str:
        return self._tokens.mark(user.password)


def _refused() -> Unauthenticated:
    return Unauthenticated("e-mail or password is wrong", code="INVALID_CREDENTIALS")


class _Stored(msgspec.Struct, frozen=True):
    """A user as they are stored. `password` is its hash."""

    id: str
    shown: Row
    password: str
    active: bool
