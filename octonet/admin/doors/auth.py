"""`/api/auth`: what a key may do, and tickets that stand for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from octonet.access.tickets import LIFE, Tickets
from octonet.admin.authority import LetIn
from octonet.admin.http import ok, only
from octonet.kernel.instant import iso
from octonet.transport import HttpDoor, Incoming, Reply


class AuthDoor:
    """`let_in` is the gate's; `now` tells milliseconds since 1970."""

    def __init__(self, tickets: Tickets, let_in: LetIn, now: Callable[[], int]) -> None:
        self._tickets = tickets
        self._let_in = let_in
        self._now = now

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/auth/verify": self.verify, "/api/auth/ticket": self.ticket}

    async def verify(self, incoming: Incoming) -> Reply:
        """What the key that is shown may do."""
        only(incoming, "GET")
        who = (await self._let_in(incoming)).principal
        granted = who.permissions
        told: dict[str, object] = {"scopes": {name: sorted(values) for name, values in granted.scopes.items()}}
        limits = {"rateLimit": granted.daily, "rateLimitPerSecond": granted.per_second}
        told |= {name: limit for name, limit in limits.items() if limit}
        expires = iso(who.expires) if who.expires else None
        return ok({"prefix": who.key, "account": who.account or None, "permissions": told, "expiresAt": expires})

    async def ticket(self, incoming: Incoming) -> Reply:
        """What a browser puts into the address of a socket or a stream, instead of the key."""
        only(incoming, "POST")
        who = (await self._let_in(incoming)).principal
        return ok({"ticket": self._tickets.give(who.key, self._now()), "expiresIn": LIFE // 1000})
