"""Typed filters and sorts, as the filter language that every door speaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from octonet.kernel import columns
from octonet.kernel.errors import invalid
from octonet.kernel.schema import EntitySchema, FieldType
from transports.engine.graphql.shape import Allotment, scalar

_PRESENCE: Final = "PresenceFilter"
_OBJECTS: Final = (FieldType.JSON, FieldType.ARRAY)


def _comparisons() -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    for name in ("String", "ID", "Float", "DateTime", "Boolean"):
        found = {op: (name, "") for op in ("eq", "ne", "gt", "gte", "lt", "lte")}
        found |= {op: (f"[{name}]", "") for op in ("in", "nin")}
        if name == "String":
            found |= {
                "regex": (name, "^ and $ at the ends, . and .* between."),
                "notRegex": (name, "What the pattern does not match."),
                "regexFlags": (name, 'Only "i": of either pattern.'),
            }
        found["exists"] = ("Boolean", "Whether there is a value.")
        yield f"{name}Filter", found
    yield _PRESENCE, {"exists": ("Boolean", "Whether there is a value.")}


COMPARISONS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = dict(_comparisons())
"""Input type → comparison → its type and what it means. A value of null is asked for with `eq` and `ne`."""


class Members(msgspec.Struct, frozen=True):
    """The members of an entity's filter type: its columns, and the two junctions, whatever the columns are called."""

    columns: Mapping[str, str]
    all: str
    any: str


@lru_cache(maxsize=4096)
def _members(names: tuple[tuple[str, str], ...]) -> Members:
    found = dict(names)
    free = Allotment(frozenset(found))
    return Members(found, free.take("and"), free.take("or"))


def members(schema: EntitySchema) -> Members:
    """The members of an entity's filter type."""
    found = []
    for name, column in columns.of(schema).columns.items():
        bare = scalar(column, schema)
        found.append((name, _PRESENCE if column.type in _OBJECTS else f"{bare}Filter"))
    return _members(tuple(found))


def where(schema: EntitySchema, value: object) -> object:
    """A typed filter as the filter it stands for."""
    known = members(schema)
    return _conditions(known, value)


def _conditions(known: Members, value: object) -> object:
    if not isinstance(value, dict):
        return value
    found: dict[str, object] = {}
    for name, member in value.items():
        if name in (known.all, known.any):
            if member is not None:
                found["$and" if name == known.all else "$or"] = [_conditions(known, one) for one in member]
        elif member is None:
            found[name] = None
        else:
            found[name] = _comparisons_of(member)
    return found


def _comparisons_of(member: Mapping[str, object]) -> dict[str, object]:
    found = {f"${op}": operand for op, operand in member.items()}
    if "$notRegex" in found:
        flags = {"$regexFlags": found["$regexFlags"]} if "$regexFlags" in found else {}
        found["$not"] = {"$regex": found.pop("$notRegex"), **flags}
        if "$regex" not in found:
            found.pop("$regexFlags", None)
    return found


def order(value: object) -> object:
    """A typed sort as the sort it stands for. Raises `Invalid` for a term that names none or several columns: the
    members of an input object have no order."""
    if not isinstance(value, list):
        return value
    found: dict[str, object] = {}
    for i, term in enumerate(value):
        named = [name for name, direction in term.items() if direction is not None]
        if len(named) != 1:
            raise invalid(f"$.orderBy[{i}]", "names one column: begin a new term for the next", code="INVALID_SORT")
        if named[0] in found:
            raise invalid(f"$.orderBy[{i}]", "names a column that is sorted by already", code="INVALID_SORT")
        found[named[0]] = 1 if term[named[0]] == "ASC" else -1
    return found
