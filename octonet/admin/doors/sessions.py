"""`/api/auth/login`, `/logout`, `/me`: people who log in to the office, by a cookie that only the office looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec

from octonet.access.sessions import SessionTokens
from octonet.admin.authority import Authority
from octonet.admin.http import body, ok, only
from octonet.admin.login import Login, Session
from octonet.admin.reception import COOKIE, Reception
from octonet.kernel.instant import iso
from octonet.transport import HttpDoor, Incoming, Reply

_TOLD = ("id", "email", "firstName", "lastName")


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to log in."""

    email: Annotated[str, msgspec.Meta(max_length=254)]
    password: Annotated[str, msgspec.Meta(max_length=1024)]


class SessionsDoor:
    """`now` tells milliseconds since 1970."""

    def __init__(
        self,
        reception: Reception,
        login: Login,
        tokens: SessionTokens,
        authority: Authority,
        now: Callable[[], int],
    ) -> None:
        self._reception = reception
        self._login = login
        self._tokens = tokens
        self._authority = authority
        self._now = now

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/auth/login": self.login, "/api/auth/logout": self.logout, "/api/auth/me": self.me}

    async def login(self, incoming: Incoming) -> Reply:
        """A session for an e-mail and a password."""
        only(incoming, "POST")
        stranger = self._reception.stranger(incoming)
        wanted = body(incoming, Credentials)
        session, token = await self._login.login(stranger, wanted.email, wanted.password)
        lasts = (session.expires - self._now()) // 1000
        return self._with_cookie(incoming, await self._told(incoming, session), token, lasts)

    async def logout(self, incoming: Incoming) -> Reply:
        """The session is over, everywhere."""
        only(incoming, "POST")
        session = await self._reception.session(incoming)
        await self._login.logout(self._reception.person(incoming, session), session)
        return self._with_cookie(incoming, ok(True), "", 0)

    async def me(self, incoming: Incoming) -> Reply:
        """Who is logged in, and what they may do."""
        only(incoming, "GET")
        return await self._told(incoming, await self._reception.session(incoming))

    async def _told(self, incoming: Incoming, session: Session) -> Reply:
        granted = await self._authority.granted(self._reception.person(incoming, session), session.user["roles"])
        user = {name: session.user[name] for name in _TOLD}
        return ok(
            {
                "user": {**user, "roles": granted.roles, "permissions": granted.codes},
                "csrfToken": self._tokens.csrf(session.id),
                "expiresAt": iso(session.expires),
            }
        )

    def _with_cookie(self, incoming: Incoming, reply: Reply, token: str, lasts: int) -> Reply:
        """`lasts`: seconds; 0 takes the cookie away."""
        secure = "; Secure" if self._reception.is_secure(incoming) else ""
        set_cookie = f"{COOKIE}={token}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}"
        return msgspec.structs.replace(reply, headers={**reply.headers, "Set-Cookie": set_cookie})
