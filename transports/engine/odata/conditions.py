"""Conditions while they are put together: our filter language, and what they say of a row of nothing but nulls.

OData knows three truths: true, false, and null where a function or a property has no value. Our filters know whether
a row is wanted. So every expression is compiled for what is asked of it: to be true, or to be false, and whether null
will do. A negation only changes what is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

Tree: TypeAlias = dict[str, object]
"""A filter as `Request.filter` takes it; where its values are still to be looked up, a `Lookup` stands for them."""


class Condition(msgspec.Struct, frozen=True):
    """What a row must be like."""

    tree: Tree
    of_null: bool
    """Whether it holds for the row that a navigation from nowhere leads to: every value of it is null."""


class Lookup(msgspec.Struct, frozen=True):
    """The values of one column of the rows of an entity that meet a condition: to be fetched before the filter is
    used."""

    entity: str
    where: Tree
    column: str


EVERYTHING: Final = Condition({}, True)
NOTHING: Final = Condition({"$or": []}, False)


class Wanted(msgspec.Struct, frozen=True):
    """What is asked of an expression."""

    truth: bool = True
    or_null: bool = False

    def negated(self) -> Wanted:
        """What is then asked of what stands behind a ``not``."""
        return Wanted(not self.truth, self.or_null)

    def certain(self, holds: bool) -> Condition:
        """For an expression that is the same for every row."""
        return EVERYTHING if holds is self.truth else NOTHING


def all_of(parts: Iterable[Condition]) -> Condition:
    """Every one of them."""
    found = [part for part in parts if part.tree]
    if len(found) == 1:
        return found[0]
    if any(part == NOTHING for part in found):
        return NOTHING
    return Condition({"$and": [part.tree for part in found]}, all(p.of_null for p in found)) if found else EVERYTHING


def any_of(parts: Iterable[Condition]) -> Condition:
    """At least one of them."""
    given = list(parts)
    if any(not part.tree for part in given):
        return EVERYTHING
    found = [part for part in given if part != NOTHING]
    if len(found) == 1:
        return found[0]
    return Condition({"$or": [part.tree for part in found]}, any(p.of_null for p in found)) if found else NOTHING


def is_null(column: str, wanted: bool = True) -> Condition:
    """The column has no value, or has one."""
    return Condition({column: {"$exists": not wanted}}, wanted)


def compares(column: str, operator: str, value: object) -> Condition:
    """The column has a value that compares so."""
    return Condition({column: {operator: value}}, False)


def lookups(tree: object) -> bool:
    """Whether something must be looked up first."""
    if isinstance(tree, Lookup):
        return True
    if isinstance(tree, Mapping):
        return any(lookups(part) for part in tree.values())
    return isinstance(tree, list) and any(lookups(part) for part in tree)
