"""Who may connect to NATS directly, and what they may do there: exactly what their API key opens at this door."""

from __future__ import annotations

from typing import Final

from octonet.access.permissions import EVERYTHING, PROJECTS, TRANSPORTS
from octonet.access.principal import Caller, Visitor
from octonet.gateway import Gateway
from octonet.kernel.bus import EVERY, Access
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Denied
from octonet.kernel.ids import ProjectName, is_slug
from octonet.kernel.operation import Family

_NAME: Final = "nats"


class Tenants:
    """Implements `octonet.kernel.bus.Doorman`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def admit(self, credential: str, address: str) -> Access:
        """See `Doorman`."""
        caller = Caller(Actor(transport=_NAME, address=address), credential)
        return self._access(self._gateway.recognise(caller) or await self._gateway.admit(caller))

    async def still(self, key: str) -> Access:
        """See `Doorman`."""
        return self._access(await self._gateway.admit_shown(key, Actor(transport=_NAME)))

    def _access(self, who: Visitor) -> Access:
        """Raises `Denied` where a key opens nothing here."""
        principal = who.principal
        granted = principal.permissions.scopes.get(PROJECTS, frozenset())
        # Of those that it names, also the ones that are not there yet.
        names = {EVERY} if EVERYTHING in granted else {name for name in granted if is_slug(name)}
        families = {name: principal.families(ProjectName(name), _NAME) for name in names}
        operations = {name: self._operations(found) for name, found in families.items() if found}
        if not operations:
            principal.check_scopes({TRANSPORTS: _NAME})
            raise Denied("this API key opens nothing on NATS")
        facts = frozenset(name for name, found in families.items() if Family.READ in found)
        return Access(principal.key, operations, facts, principal.watch if principal.key else None)

    def _operations(self, families: frozenset[Family]) -> frozenset[str]:
        return frozenset(name for name, one in self._gateway.operations.items() if one.family in families)
