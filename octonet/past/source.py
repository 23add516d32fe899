"""Where queries about the past are answered from: rows by their id out of the versions, all else out of moments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from octonet.kernel.aggregate import Stage
from octonet.kernel.filter import Filter, In, Options
from octonet.kernel.ids import CommandId, EntityId, Row
from octonet.kernel.past import Version
from octonet.kernel.schema import ID, EntitySchema, Relation
from octonet.kernel.storage import Checkpoint, Database, Page, Stored
from octonet.past import place as places
from octonet.past.file import VersionsFile
from octonet.past.rows import Told, shown

_FEW: Final = 100
"""Rows that are looked up one by one sooner than all of their entity are gathered."""


class PastSource:
    """Implements `octonet.kernel.storage.Source`. `gather` makes the database with the rows of an entity."""

    def __init__(
        self, place: int, file: VersionsFile, told: Told, gather: Callable[[str], Awaitable[Database]]
    ) -> None:
        self._place = place
        self._file = file
        self._told = told
        self._gather = gather

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        """One live row by id: one look at the versions."""
        return next(iter(await self._by_id(schema, [id], options)), None)

    async def version(self, schema: EntitySchema, id: EntityId) -> int | None:
        """The row's version."""
        found = await self.get(schema, id, Options())
        return None if found is None else found.version

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        """See the port."""
        where, options = page.where, page.options
        by_id = isinstance(where, In) and where.column == ID and not where.negated and len(where.values) <= _FEW
        if by_id and not (options.sort or options.skip or options.versions):
            assert isinstance(where, In)
            ids = sorted({EntityId(str(id)) for id in where.values})
            return [row.state for row in await self._by_id(schema, ids, options)][: page.limit]
        return await (await self._rows(schema)).select(schema, page)

    async def count(self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False) -> int:
        """See the port."""
        return await (await self._rows(schema)).count(schema, where, include_deleted=include_deleted)

    async def aggregate(self, schema: EntitySchema, stages: Sequence[Stage], limit: int) -> list[Row]:
        """See the port."""
        return await (await self._rows(schema)).aggregate(schema, stages, limit)

    async def pairs(
        self, schema: EntitySchema, relation: Relation, owners: Sequence[EntityId]
    ) -> list[tuple[EntityId, EntityId]]:
        """See the port."""
        return await (await self._rows(schema)).pairs(schema, relation, owners)

    async def checkpoint(self) -> Checkpoint:
        """The moment itself."""
        return Checkpoint(places.entry(self._place))

    async def recall(self, id: CommandId) -> int | None:
        """Nobody asks the past what became of a command."""
        return None

    async def _rows(self, schema: EntitySchema) -> Database:
        return await self._gather(schema.name)

    async def _by_id(self, schema: EntitySchema, ids: Sequence[EntityId], options: Options) -> list[Stored]:
        return await asyncio.to_thread(self._look, schema, ids, options)

    def _look(self, schema: EntitySchema, ids: Sequence[EntityId], options: Options) -> list[Stored]:
        rows: list[Stored] = []
        spans = self._told.spans(schema.name, self._place)
        for id in ids:
            for found in self._file.find(spans, id):
                row = self._row(schema, found, options)
                if row is not None:
                    rows.append(Stored(id, found.version, row))
        return rows

    def _row(self, schema: EntitySchema, found: Version, options: Options) -> Row | None:
        if found.data is None:
            return None
        return shown(schema, self._told.state(schema, found, self._place), found, options)
