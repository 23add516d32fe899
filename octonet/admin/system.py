"""The system project as the office works with it: reads and commands like everybody's, in its own name and on behalf of
whoever asked."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from octonet.access.principal import INSIDER, Visitor
from octonet.change_set import Refusal
from octonet.gateway import Gateway, Written
from octonet.kernel.ids import SYSTEM_PROJECT, Row
from octonet.kernel.operation import Raw, Request
from octonet.reader import Read

_PAGE = 1000


class SystemProject:
    """Accounts, keys, roles and projects as rows. What is done is recorded as done by `by`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def find(self, by: Visitor, entity: str, id: str) -> Row | None:
        """The row of this id."""
        return (await self._read(by, Request("findById", entity, id))).answer.row

    async def find_one(self, by: Visitor, entity: str, where: dict[str, Raw]) -> Row | None:
        """The first row that matches."""
        return (await self._read(by, Request("findOne", entity, filter=where))).answer.row

    async def count(self, by: Visitor, entity: str, where: dict[str, Raw]) -> int:
        """How many rows match."""
        return (await self._read(by, Request("count", entity, filter=where))).answer.count or 0

    async def every(self, by: Visitor, entity: str, where: dict[str, Raw] | None = None, **options: Raw) -> list[Row]:
        """All rows that match; `options` as in a request."""
        rows: list[Row] = []
        page: dict[str, Raw] = {"limit": _PAGE, **options}
        while True:
            answer = (await self._read(by, Request("findAll", entity, filter=where or {}, options=page))).answer
            rows += answer.rows or []
            if answer.cursor is None:
                return rows
            page = {**page, "after": answer.cursor}

    async def write(self, by: Visitor, request: Request) -> Row | None:
        """Run a command; the row it answers with, None where there is none. Raises its rejection."""
        done = await self._gateway.execute(SYSTEM_PROJECT, request, Visitor(INSIDER, by.actor))
        assert isinstance(done, Written)
        row: Row | None = None if done.data is None else msgspec.json.decode(done.data)
        return row

    async def write_together(self, by: Visitor, requests: Sequence[Request]) -> None:
        """Run commands as one change set: all of them, or none. Raises what one of them was refused for."""
        done = await self._gateway.execute_together(SYSTEM_PROJECT, requests, Visitor(INSIDER, by.actor))
        if isinstance(done, Refusal):
            raise done.problem

    async def version(self, by: Visitor, entity: str, id: str) -> int:
        """Of the row of this id; 0 where there is none."""
        return (await self._read(by, Request("findById", entity, id))).version

    async def create(self, by: Visitor, entity: str, row: dict[str, Raw], once: str = "") -> Row:
        """Add a row. `once`: an idempotency key. Raises `Conflict` when it is there already."""
        made = await self.write(by, Request("create", entity, data=row, idempotency_key=once or msgspec.UNSET))
        assert made is not None
        return made

    async def _read(self, by: Visitor, request: Request) -> Read:
        found = await self._gateway.execute(SYSTEM_PROJECT, request, Visitor(INSIDER, by.actor))
        assert isinstance(found, Read)
        return found
