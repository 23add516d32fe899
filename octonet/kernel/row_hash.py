"""Whether two databases hold the same rows: a hash over all of them, the same on every dialect, in whatever order they
are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from octonet.kernel.schema import ID, EntitySchema, Schemas
from octonet.kernel.storage import Checkpoint, Database, Stored

_AT_ONCE: Final = 2000
_SIZE: Final = 32
_MODULUS: Final = 1 << 8 * _SIZE
_encode = msgspec.json.Encoder(order="sorted").encode


class EntityHash(msgspec.Struct, frozen=True):
    """Of all rows of one entity, soft-deleted ones too: how many, and the sum of their SHA-256 (hexadecimal)."""

    rows: int
    digest: str


class RowHashes(msgspec.Struct, frozen=True):
    """Of a database as it was at `checkpoint`, by entity."""

    checkpoint: Checkpoint
    entities: Mapping[str, EntityHash]

    @property
    def rows(self) -> int:
        """Of all entities."""
        return sum(found.rows for found in self.entities.values())

    def differing(self, other: RowHashes) -> list[str]:
        """The entities whose rows are not the same, by name."""
        names = {*self.entities, *other.entities}
        return sorted(name for name in names if self.entities.get(name) != other.entities.get(name))


class _Sum:
    """Order does not matter: every row adds its own hash."""

    def __init__(self, schema: EntitySchema, versions: bool) -> None:
        self._versions = versions
        self._names = sorted({name for name in schema.columns if name != ID} | {link.name for link in schema.links})
        self._rows = 0
        self._sum = 0

    def add(self, rows: Iterable[Stored]) -> None:
        for row in rows:
            state = row.state
            text = _encode([row.id, row.version if self._versions else 0, [state.get(name) for name in self._names]])
            self._sum += int.from_bytes(hashlib.sha256(text).digest(), "big")
            self._rows += 1

    def done(self) -> EntityHash:
        return EntityHash(self._rows, (self._sum % _MODULUS).to_bytes(_SIZE, "big").hex())


async def row_hashes(
    database: Database,
    schemas: Schemas,
    tell: Callable[[int], object] = lambda rows: None,
    *,
    versions: bool = True,
) -> RowHashes:
    """Read everything, as it is at one moment; `tell` hears of rows that were read. Without `versions` rows of two
    projects are equal that came to the same state in different ways. Raises `StorageUnavailable`."""
    async with database.snapshot() as snapshot:
        checkpoint = await snapshot.checkpoint()
        found: dict[str, EntityHash] = {}
        for schema in schemas.entities.values():
            total, last = _Sum(schema, versions), ""
            while rows := await snapshot.rows(schema, last, _AT_ONCE):
                last = rows[-1].id
                total.add(rows)
                tell(len(rows))
            found[schema.name] = total.done()
    return RowHashes(checkpoint, found)
