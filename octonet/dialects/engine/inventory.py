"""What a database tells about itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.links import Reader


class Listings(msgspec.Struct, frozen=True):
    """The SQL by which a database tells what stands in it."""

    columns: str
    """Lines of table, column, the column's type as the database spells it, and whether it refuses nulls."""
    indexes: str
    """Lines of one index."""


class Physical(msgspec.Struct, frozen=True):
    """A column that is there."""

    name: str
    type: str
    required: bool


class Inventory(msgspec.Struct, frozen=True):
    """What stands in a database, names folded as the grammar says."""

    columns: Mapping[str, Mapping[str, Physical]]
    """For each table its columns."""
    indexes: frozenset[str]


async def take(reader: Reader, listings: Listings, grammar: Grammar) -> Inventory:
    """Look at what is there now."""
    columns: dict[str, dict[str, Physical]] = {}
    fold = grammar.fold
    for table, column, kind, required in await reader.rows(listings.columns, ()):
        physical = Physical(str(column), str(kind), bool(required))
        columns.setdefault(fold(str(table)), {})[fold(str(column))] = physical
    indexes = frozenset(fold(str(name)) for (name,) in await reader.rows(listings.indexes, ()))
    return Inventory(columns, indexes)
