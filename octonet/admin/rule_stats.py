"""What rules have done, kept as rows of the system project, so that it outlasts the process that did it."""

from __future__ import annotations

import msgspec

from octonet.access.gate import insider
from octonet.admin.rule_rows import STATS
from octonet.admin.system import SystemProject
from octonet.kernel.operation import Raw, Request
from octonet.kernel.rule import RuleStats


class RuleStatsStore:
    """In the name of the server itself."""

    def __init__(self, system: SystemProject) -> None:
        self._system = system
        self._by = insider("rules")

    async def read(self, rule: str) -> RuleStats | None:
        """What was kept of the rule of this id. Raises `Unavailable`."""
        row = await self._system.find(self._by, STATS, rule)
        return None if row is None else msgspec.convert(row["stats"], RuleStats)

    async def write(self, rule: str, stats: RuleStats) -> None:
        """Keep it. Raises `Unavailable`."""
        told = msgspec.to_builtins(stats)
        data: dict[str, Raw] = {"stats": told}
        wish = Request("upsert", STATS, filter={"id": rule}, data=data)
        await self._system.write(self._by, wish)

    async def forget(self, rule: str) -> None:
        """Of a rule that is no more."""
        await self._system.write(self._by, Request("delete", STATS, rule))
