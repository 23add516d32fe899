"""A source that answers from lists of rows, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cmp_to_key

from octonet.kernel.aggregate import Stage
from octonet.kernel.filter import Filter, Options, Order
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import CommandId, EntityId, JsonValue, Row
from octonet.kernel.schema import DELETED_AT, EntitySchema, Relation
from octonet.kernel.storage import Checkpoint, Page, Stored


class MemorySource:
    """Implements `kernel.storage.Source` over rows in wire form, secrets included."""

    def __init__(self, rows: Mapping[str, list[Row]]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, str]] = []
        """(entity, method) of every question."""
        self.pages: list[Page] = []
        self.aggregated: list[Row] = []
        """What every pipeline gives."""

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        self.asked.append((schema.name, "get"))
        rows = (row for row in self._live(schema, options.include_deleted) if row["id"] == id)
        return next((Stored(id, 1, _cut(schema, row, options)) for row in rows), None)

    async def version(self, schema: EntitySchema, id: EntityId) -> int | None:
        return 1 if any(row["id"] == id for row in self.rows[schema.name]) else None

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        self.asked.append((schema.name, "select"))
        self.pages.append(page)
        found = [row for row in self._live(schema, page.options.include_deleted) if matches(page.where, row)]
        found.sort(key=cmp_to_key(lambda a, b: _compare(page.options.sort, a, b)))
        start = page.options.skip
        return [_cut(schema, row, page.options) for row in found[start : start + page.limit]]

    async def count(self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False) -> int:
        return sum(matches(where, row) for row in self._live(schema, include_deleted))

    async def aggregate(self, schema: EntitySchema, stages: Sequence[Stage], limit: int) -> list[Row]:
        self.asked.append((schema.name, "aggregate"))
        return self.aggregated[:limit]

    async def pairs(
        self, schema: EntitySchema, relation: Relation, owners: Sequence[EntityId]
    ) -> list[tuple[EntityId, EntityId]]:
        return []

    async def checkpoint(self) -> Checkpoint:
        return Checkpoint()

    async def recall(self, id: CommandId) -> int | None:
        return None

    def _live(self, schema: EntitySchema, include_deleted: bool) -> list[Row]:
        return [row for row in self.rows[schema.name] if include_deleted or row.get(DELETED_AT) is None]


def _cut(schema: EntitySchema, row: Row, options: Options) -> Row:
    shown = set(options.select or row).difference(options.exclude, schema.secrets) | {"id"}
    return {name: value for name, value in row.items() if name in shown}


def _compare(orders: tuple[Order, ...], a: Row, b: Row) -> int:
    for order in (*orders, Order("id")):
        x, y = a[order.column], b[order.column]
        if x != y:
            less = x is None or (y is not None and _before(x, y))
            return -1 if less is not order.descending else 1
    return 0


def _before(x: JsonValue, y: JsonValue) -> bool:
    if isinstance(x, str) and isinstance(y, str):
        return x < y
    assert isinstance(x, int | float)
    assert isinstance(y, int | float)
    return x < y
