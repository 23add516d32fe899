"""Where the uses of keys are kept: one row for each key and day in the system project."""

from __future__ import annotations

from octonet.access.gate import insider
from octonet.access.usage import ENTITY, Use
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Conflict, NotFound
from octonet.kernel.ids import Row
from octonet.kernel.operation import Request


class UsageStore:
    """Keeps them; the methods are what `octonet.access` asks for."""

    def __init__(self, system: SystemProject) -> None:
        self._system = system
        self._by = insider("usage")

    async def write(self, key: str, at: str, use: Use) -> None:
        """Add to the uses of a key on the day of `at`, which is when it was used last."""
        row = await self._add(key, at[:10], "count", use.count)
        last: Row = {"lastUsedAt": at, "lastIp": use.address}
        await self._run(Request("update", ENTITY, row["id"], data=last))

    async def take(self, key: str, day: str, count: int) -> int:
        """Add to what was taken of its stock; returns all that was taken by now."""
        taken = (await self._add(key, day, "taken", count))["taken"]
        assert isinstance(taken, int)
        return taken

    async def _add(self, key: str, day: str, field: str, amount: int) -> Row:
        id = f"{key}.{day}"
        while True:
            try:
                return await self._run(Request("increment", ENTITY, id, field=field, amount=amount))
            except NotFound:
                try:
                    row: Row = {"id": id, "key": key, "day": day, field: amount}
                    return await self._run(Request("create", ENTITY, data=row))
                except Conflict:
                    # Another process was first.
                    continue

    async def _run(self, request: Request) -> Row:
        row = await self._system.write(self._by, request)
        assert row is not None
        return row
