"""The gate: who comes in, and as whom."""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import Final

from octonet.access.acquaintances import Acquaintances
from octonet.access.allowance import Allowance
from octonet.access.key_ring import KeyRing
from octonet.access.principal import INSIDER, Caller, Principal, Visitor
from octonet.access.quota import Quota
from octonet.access.rate import Rate
from octonet.access.usage import Usage
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Unauthenticated


class Gate:
    """`ring` None: everybody comes in and may do everything, the open mode of development."""

    def __init__(self, ring: KeyRing | None) -> None:
        self._ring = ring
        self._met = Acquaintances()
        self.usage: Usage | None = None
        self.quota: Quota | None = None
        self.rate: Rate | None = None

    def known(self, credential: str, transport: str, address: str) -> Visitor | None:
        """Whoever showed the same key at the same door from the same place a moment ago; None for everybody else."""
        if self._ring is None:
            return _anybody(transport, address)
        visitor = self._met.find((credential, transport, address))
        return visitor if visitor is not None and visitor.principal.until > monotonic() else None

    def recognise(self, caller: Caller) -> Visitor | None:
        """Let in whoever is known already; None when `admit` must look closer. Raises `Unauthenticated`."""
        if self._ring is None:
            return Visitor(INSIDER, caller.actor)
        if not caller.credential:
            if caller.ticket:
                return None
            raise Unauthenticated
        principal = self._ring.find(caller.credential)
        return None if principal is None else self._welcome(principal, caller)

    async def admit(self, caller: Caller) -> Visitor:
        """Let somebody in. Raises `Unauthenticated`, `Unavailable`, `Overwhelmed`."""
        known = self.recognise(caller)
        if known is not None:
            return known
        ring = self._ring
        assert ring is not None
        by_key = bool(caller.credential)
        principal = await (ring.verify(caller.credential) if by_key else ring.verify_ticket(caller.ticket))
        return self._welcome(principal, caller)

    async def admit_shown(self, key: str, actor: Actor) -> Visitor:
        """Whoever is known to have shown the key with this public part. Raises as `admit` does."""
        if self._ring is None:
            return Visitor(INSIDER, actor)
        return self._welcome(await self._ring.verify_shown(key), Caller(actor))

    async def admit_public(self, actor: Actor) -> Visitor:
        """Let in somebody who shows nothing, as whoever holds the public key. Raises `Unauthenticated` when that does
        not count any more, else as `admit` does."""
        if self._ring is None:
            return Visitor(INSIDER, actor)
        return self._welcome(await self._ring.verify_public(), Caller(actor))

    def count(self, visitor: Visitor) -> bool:
        """One more thing that somebody asks for; whether they may, without `take`, as hardly anybody's key is
        limited."""
        principal = visitor.principal
        if self.usage is not None and principal.key:
            self.usage.count(principal, visitor.actor.address)
        return not principal.limited

    async def take(self, visitor: Visitor) -> None:
        """Find out whether they may. Raises `TooFast`, `TooOften`, `Unavailable`."""
        principal = visitor.principal
        if principal.per_second and self.rate is not None:
            await self.rate.use(principal)
        if principal.daily and self.quota is not None and not self.quota.spend(principal):
            await self.quota.take(principal)

    def allowances(self, principal: Principal) -> list[Allowance]:
        """What the limits of a key leave to it."""
        found = []
        if principal.daily and self.quota is not None:
            found.append(self.quota.allowance(principal))
        if principal.per_second and self.rate is not None:
            found.append(self.rate.allowance(principal))
        return found

    def _welcome(self, principal: Principal, caller: Caller) -> Visitor:
        who = caller.actor
        actor = Actor(
            principal.key,
            principal.account,
            who.transport,
            who.address,
            who.correlation,
            who.causation,
            who.traceparent,
        )
        visitor = Visitor(principal, actor)
        if caller.credential and not (who.correlation or who.causation or who.traceparent):
            self._met.add((caller.credential, who.transport, who.address), visitor)
        return visitor


@lru_cache(maxsize=1024)
def _anybody(transport: str, address: str) -> Visitor:
    return Visitor(INSIDER, Actor(transport=transport, address=address))


def insider(transport: str) -> Visitor:
    """Octonet itself, or whoever works on this machine."""
    return Visitor(INSIDER, Actor(transport=transport))


OPEN: Final = Gate(None)
