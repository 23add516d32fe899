"""Writes that wait for their multi-row statement, in an order in which no constraint can be fooled.

Within one flush rows go out as deletes, then updates, then inserts. That is the order in which they were decided only
as long as no unique value is given back after another was taken: whoever puts a change that gives one back flushes
first. So every state the database checks is one the decisions really passed through, and a value held for a moment
in the middle of a batch is never overlooked.
"""

from __future__ import annotations

from collections.abc import Iterator

from octonet.kernel.ids import EntityId, Row
from octonet.kernel.schema import EntitySchema
from octonet.kernel.storage import Stored, Transaction


class Slot:
    """One row: as the database has it (`base` is its version, 0 when absent) and as it is to become."""

    __slots__ = ("base", "dirty", "reborn", "schema", "state", "version")

    def __init__(self, schema: EntitySchema, base: int, state: Row | None) -> None:
        self.schema = schema
        self.base = base
        self.version = base
        self.state = state
        self.dirty = False
        self.reborn = False
        """Whether the row is another than the one in the database, though it has its id: nothing of the old one may
        stay, not even in columns that no schema names any more."""


class Pending:
    """The rows of one open transaction that were read or are to be written."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: dict[str, dict[EntityId, Slot]] = {}
        self._takers: set[str] = set()
        self._dirty = False

    def slot(self, schema: EntitySchema, id: EntityId) -> Slot | None:
        """The row, if it is known here."""
        rows = self._rows.get(schema.name)
        return rows.get(id) if rows is not None else None

    def know(self, schema: EntitySchema, id: EntityId, base: int, state: Row | None) -> Slot:
        """Note what the database has; state None: no such row."""
        slot = Slot(schema, base, state)
        self._rows.setdefault(schema.name, {})[id] = slot
        return slot

    def slots(self) -> Iterator[tuple[EntityId, Slot]]:
        """All of them."""
        for rows in self._rows.values():
            yield from rows.items()

    def must_flush_before(self, schema: EntitySchema, *, gives_back: bool) -> bool:
        """Whether a change to this entity has to wait for a flush."""
        return gives_back and schema.name in self._takers

    def put(self, slot: Slot, version: int, state: Row | None, *, takes: bool) -> None:
        """Change a row; state None removes it. `takes`: a unique value it did not have before is now its own."""
        slot.version, slot.state, slot.dirty = version, state, True
        if version == 1 and slot.base:
            slot.reborn = True
        self._dirty = True
        if takes:
            self._takers.add(slot.schema.name)

    @property
    def dirty(self) -> bool:
        """Whether anything waits."""
        return self._dirty

    async def flush(self) -> None:
        """Write everything that waits. Raises `ConstraintViolation`."""
        if not self._dirty:
            return
        for rows in self._rows.values():
            ended = [(id, slot) for id, slot in rows.items() if slot.dirty and slot.base]
            gone = [(id, slot) for id, slot in ended if slot.state is None or slot.reborn]
            if gone:
                await self._transaction.delete(gone[0][1].schema, [id for id, _ in gone])
        for rows in self._rows.values():
            await self._write(rows)
        for rows in self._rows.values():
            for slot in rows.values():
                if slot.dirty:
                    slot.base = slot.version if slot.state is not None else 0
                    slot.dirty = slot.reborn = False
        self._takers.clear()
        self._dirty = False

    async def _write(self, rows: dict[EntityId, Slot]) -> None:
        changed: list[tuple[int, Stored]] = []
        fresh: list[Stored] = []
        schema: EntitySchema | None = None
        for id, slot in rows.items():
            if not slot.dirty or slot.state is None:
                continue
            schema = slot.schema
            row = Stored(id, slot.version, slot.state)
            if slot.base and not slot.reborn:
                changed.append((slot.base, row))
            else:
                fresh.append(row)
        if schema is None:
            return
        if changed:
            await self._transaction.update(schema, changed)
        if fresh:
            await self._transaction.insert(schema, fresh)
