"""An existing database, as its own catalog tells of it: what a schema can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from octonet.kernel.schema import FieldType, OnDelete


class ReflectedColumn(msgspec.Struct, frozen=True):
    """A column. `type` is None where no field can hold what it holds; `told` is its type in the database's words."""

    name: str
    type: FieldType | None
    told: str
    required: bool = False
    enum: tuple[str, ...] = ()


class ReflectedIndex(msgspec.Struct, frozen=True):
    """An index; a column is empty where an expression stands in its place."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False


class ReflectedReference(msgspec.Struct, frozen=True):
    """A foreign key."""

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]
    """The columns that it refers to."""
    on_delete: OnDelete = OnDelete.NO_ACTION


class ReflectedTable(msgspec.Struct, frozen=True):
    """A table with all that is declared of it."""

    name: str
    columns: tuple[ReflectedColumn, ...]
    key: tuple[str, ...] = ()
    indexes: tuple[ReflectedIndex, ...] = ()
    references: tuple[ReflectedReference, ...] = ()


@runtime_checkable
class Reflects(Protocol):
    """A dialect that can read an existing database's catalog."""

    async def reflect(self, uri: str) -> Sequence[ReflectedTable]:
        """Every table of the database, by name; nothing is changed. Raises `Invalid` or `StorageUnavailable` with a
        sentence that says what to do."""
        ...
