"""The reception of the office: whoever comes, by a key or, logged in, by the cookie of a session.

A browser sends cookies along whoever made it ask. So a request that changes something must also show a token that only
pages of this server can know, and no other page may say that it sent it. None of that is asked of keys: nothing sends
them by itself. No other door ever looks at the cookie.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from octonet.access.permissions import Permissions
from octonet.access.principal import Caller, Principal, Visitor
from octonet.access.sessions import SessionTokens
from octonet.admin.login import Login, Session
from octonet.gateway import Gateway
from octonet.kernel.errors import Denied, Unauthenticated
from octonet.transport import Incoming

COOKIE: Final = "octonet_session"
_CSRF: Final = "x-csrf-token"
_SAFE: Final = frozenset({"GET", "HEAD"})
_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})
_NOBODY: Final = Principal("", "", Permissions({}))
_OVER: Final = "nobody is logged in here any more"


class Entrance(Protocol):
    """Where whoever comes to a door of the office is looked at."""

    async def let_in(self, incoming: Incoming) -> Visitor:
        """Whoever sent this. Raises `Unauthenticated`."""
        ...

    async def by_ticket(self, incoming: Incoming, ticket: str) -> Visitor:
        """Whoever was given this ticket. Raises `Unauthenticated`."""
        ...


class Reception:
    """`caller` tells what a request says of who sent it; `public` is the origin of this server as browsers know it,
    empty: as each request names it. `encrypted`: our own doors speak TLS."""

    def __init__(
        self,
        gateway: Gateway,
        login: Login,
        tokens: SessionTokens,
        caller: Callable[[Incoming], Caller],
        public: str = "",
        encrypted: bool = False,
    ) -> None:
        self._gateway = gateway
        self._login = login
        self._tokens = tokens
        self._caller = caller
        self._public = public.rstrip("/").lower()
        self._encrypted = encrypted

    async def let_in(self, incoming: Incoming) -> Visitor:
        """Whoever sent this. Raises `Unauthenticated`, `Denied` with code CSRF, `Unavailable`."""
        who = self._caller(incoming)
        if who.credential or COOKIE not in incoming.headers.get("cookie", ""):
            return await self.by_key(incoming)
        return self.person(incoming, await self.session(incoming))

    def person(self, incoming: Incoming, session: Session) -> Visitor:
        """Whoever is logged in, as the sender of this."""
        principal = session.principal
        return Visitor(principal, msgspec.structs.replace(self._caller(incoming).actor, user=principal.user))

    async def by_key(self, incoming: Incoming) -> Visitor:
        """The same, for what only keys can do."""
        who = self._caller(incoming)
        return self._gateway.recognise(who) or await self._gateway.admit(who)

    async def by_ticket(self, incoming: Incoming, ticket: str) -> Visitor:
        """Whoever was given this ticket, for streams that a browser opens without a header. Raises as `by_key` does."""
        who = msgspec.structs.replace(self._caller(incoming), ticket=ticket)
        return self._gateway.recognise(who) or await self._gateway.admit(who)

    async def session(self, incoming: Incoming) -> Session:
        """The session that this is a request of. Raises as `let_in` does."""
        token = cookie(incoming.headers.get("cookie", ""))
        found = await self._login.resume(self._nobody(incoming), token)
        if found is None:
            raise Unauthenticated(_OVER)
        if incoming.method not in _SAFE:
            self.check_origin(incoming)
            if not self._tokens.is_csrf(found.id, incoming.headers.get(_CSRF, "")):
                raise Denied("this takes the header X-CSRF-Token, as it was told at the login", code="CSRF")
        return found

    def stranger(self, incoming: Incoming) -> Visitor:
        """Somebody who wants to log in, and may do nothing else."""
        self.check_origin(incoming)
        return self._nobody(incoming)

    def check_origin(self, incoming: Incoming) -> None:
        """Whether no page of elsewhere sent this. Raises `Denied` with code CSRF."""
        origin = incoming.headers.get("origin")
        elsewhere = incoming.headers.get("sec-fetch-site") in _ELSEWHERE
        if elsewhere or (origin is not None and not self._is_ours(origin, incoming)):
            raise Denied("pages of other origins may not ask for this", code="CSRF")

    def is_secure(self, incoming: Incoming) -> bool:
        """Whether the browser came by https: what a proxy in front of us says of it counts only where it is configured,
        what the browser itself says always."""
        return self._encrypted or (self._public or incoming.headers.get("origin", "").lower()).startswith("https://")

    def _nobody(self, incoming: Incoming) -> Visitor:
        return Visitor(_NOBODY, self._caller(incoming).actor)

    def _is_ours(self, origin: str, incoming: Incoming) -> bool:
        if self._public:
            return origin.lower() == self._public
        scheme, _, host = origin.lower().partition("://")
        return scheme in ("http", "https") and bool(host) and host == incoming.headers.get("host", "").lower()


def cookie(header: str) -> str:
    """The token in a Cookie header; empty where there is none, or more than one: somebody put one there."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    found = {value for name, _, value in pairs if name == COOKIE}
    return found.pop() if len(found) == 1 else ""
