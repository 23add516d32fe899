"""The pace that every process keeps: requests a second by client and by project, as the system project says."""

from __future__ import annotations

import msgspec

from octonet.access.principal import Visitor
from octonet.admin.system import SystemProject
from octonet.kernel.operation import Request

ENTITY = "Setting"
_ID = "pace"


class Pace(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Requests a second; 0: as many as they like."""

    per_client: int = 0
    per_project: int = 0


class PaceChange(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is to be different."""

    per_client: int | msgspec.UnsetType = msgspec.UNSET
    per_project: int | msgspec.UnsetType = msgspec.UNSET


class Paces:
    """Reads and changes it."""

    def __init__(self, system: SystemProject) -> None:
        self._system = system

    async def read(self, by: Visitor) -> Pace:
        """As it is wanted now."""
        row = await self._system.find(by, ENTITY, _ID)
        return Pace() if row is None else msgspec.convert(row["value"], Pace)

    async def change(self, by: Visitor, change: PaceChange) -> Pace:
        """Every process keeps it a moment later."""
        before = await self.read(by)
        wanted = Pace(
            before.per_client if change.per_client is msgspec.UNSET else change.per_client,
            before.per_project if change.per_project is msgspec.UNSET else change.per_project,
        )
        data = {"id": _ID, "value": msgspec.to_builtins(wanted)}
        await self._system.write(by, Request("upsert", ENTITY, filter={"id": _ID}, data=data))
        return wanted
