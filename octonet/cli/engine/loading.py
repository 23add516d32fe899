"""A file of records through the command path, many commands in flight, every rejection told by its line."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from tqdm import tqdm

from octonet.access.gate import insider
from octonet.app import Node
from octonet.cli.engine.records import Record, read
from octonet.kernel.errors import Invalid, Kind, NotFound, OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Request

_IN_FLIGHT = 256
_SHOWN = 20
_PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0)


class Tally(msgspec.Struct):
    """What became of a file's records."""

    created: int = 0
    present: int = 0
    """Records whose id was there already."""
    rejected: int = 0


class Loader:
    """Loads one file. Rejected lines go to standard error, the first twenty of them in full."""

    def __init__(self, node: Node, project: ProjectName, entity: str, quiet: bool = False) -> None:
        schema = node.schemas(project).find(entity)
        if schema is None:
            raise NotFound(f"there is no entity {entity!r}", code="ENTITY_NOT_FOUND")
        self._node = node
        self._project = project
        self._schema = schema
        self._quiet = quiet
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._who = insider("cli")
        self.tally = Tally()

    async def load(self, path: Path) -> Tally:
        """Every record that can be created is, whatever becomes of its neighbours."""
        total = path.stat().st_size if path.is_file() else 0
        unreadable: Invalid | None = None
        with tqdm(total=total, unit="B", unit_scale=True, desc=self._schema.name, disable=self._quiet) as bar:
            async with asyncio.TaskGroup() as group:
                try:
                    for record in read(path, self._schema):
                        await self._room.acquire()
                        group.create_task(self._one(record))
                        bar.update(max(record.end - bar.n, 0))
                except Invalid as problem:
                    # What was read before is finished first, and outside the group the error keeps its type.
                    unreadable = problem
            bar.update(total - bar.n)
        if self.tally.rejected > _SHOWN:
            print(f"  … and {self.tally.rejected - _SHOWN} more", file=sys.stderr)
        if unreadable is not None:
            raise unreadable
        return self.tally

    async def _one(self, record: Record) -> None:
        try:
            if record.data is None:
                self._reject(record, record.problem)
            else:
                await self._create(record, record.data)
        finally:
            self._room.release()

    async def _create(self, record: Record, data: dict[str, object]) -> None:
        request = Request(op="create", entity=self._schema.name, data=data)
        for pause in (*_PATIENCE, None):
            try:
                await self._node.gateway.execute(self._project, request, self._who)
            except OctonetError as problem:
                if problem.kind is Kind.UNAVAILABLE and pause is not None and data.get("id") is not None:
                    # Sent again only under an id of its own: without one a second row might come of it.
                    await asyncio.sleep(pause)
                    continue
                if problem.code == "DUPLICATE_ID":
                    self.tally.present += 1
                else:
                    self._reject(record, problem.message)
            else:
                self.tally.created += 1
            return

    def _reject(self, record: Record, problem: str) -> None:
        self.tally.rejected += 1
        if self.tally.rejected <= _SHOWN:
            tqdm.write(f"  line {record.number}: {problem}", file=sys.stderr)
