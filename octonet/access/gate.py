"""The gate: who comes in, and as whom."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.access.key_ring import KeyRing
from octonet.access.principal import INSIDER, Caller, Principal, Visitor
from octonet.access.quota import Quota
from octonet.access.usage import Usage
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Unauthenticated


class Gate:
    """`ring` None: everybody comes in and may do everything, the open mode of development."""

    def __init__(self, ring: KeyRing | None) -> None:
        self._ring = ring
        self.usage: Usage | None = None
        self.quota: Quota | None = None

    def recognise(self, caller: Caller) -> Visitor | None:
        """Let in whoever is known already; None when `admit` must look closer. Raises `Unauthenticated`."""
        if self._ring is None:
            return Visitor(INSIDER, caller.actor)
        if not caller.credential:
            if caller.ticket:
                return None
            raise Unauthenticated
        principal = self._ring.find(caller.credential)
        return None if principal is None else _visitor(principal, caller.actor)

    async def admit(self, caller: Caller) -> Visitor:
        """Let somebody in. Raises `Unauthenticated`, `Unavailable`, `Exhausted`."""
        known = self.recognise(caller)
        if known is not None:
            return known
        ring = self._ring
        assert ring is not None
        by_key = bool(caller.credential)
        principal = await (ring.verify(caller.credential) if by_key else ring.verify_ticket(caller.ticket))
        return _visitor(principal, caller.actor)

    def count(self, visitor: Visitor) -> bool:
        """One more thing that somebody asks for; whether they may, as far as that is known without `take`."""
        principal = visitor.principal
        if self.usage is not None and principal.key:
            self.usage.count(principal.key, visitor.actor.address)
        return not principal.daily or self.quota is None or self.quota.spend(principal)

    async def take(self, visitor: Visitor) -> None:
        """Find out whether they may. Raises `TooOften`, `Unavailable`."""
        if self.quota is not None:
            await self.quota.take(visitor.principal)


def _visitor(principal: Principal, actor: Actor) -> Visitor:
    return Visitor(principal, msgspec.structs.replace(actor, key=principal.key, account=principal.account))


def insider(transport: str) -> Visitor:
    """Octonet itself, or whoever works on this machine."""
    return Visitor(INSIDER, Actor(transport=transport))


OPEN: Final = Gate(None)
