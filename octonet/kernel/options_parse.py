"""Reads how a page is cut (sort, skip, limit, select, cursor) and which relations are populated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.kernel import columns, cursor
from octonet.kernel.errors import invalid
from octonet.kernel.faults import did_you_mean, kind, quote, step
from octonet.kernel.filter import Options, Order
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import EntitySchema
from octonet.kernel.value_types import LARGEST

_KEYS: Final = ("sort", "skip", "limit", "select", "exclude", "includeDeleted", "versions", "after")
_MOST_TERMS: Final = 16
_DIRECTIONS: Final[Mapping[str, bool]] = {"asc": False, "desc": True}


def parse(schema: EntitySchema, value: object, path: str = "$.options") -> Options:
    """The options of a read; absent members and nulls are left at their defaults. Raises `Invalid`."""
    if value is None or value is msgspec.UNSET:
        return Options()
    given: dict[str, object] = {}
    for key, member, place in columns.members(value, path):
        if key not in _KEYS:
            raise invalid(place, f"is not an option{did_you_mean(key, _KEYS)}", code="UNKNOWN_OPTION")
        if member is not None:
            given[key] = member
    sort = orders(columns.of(schema), given.get("sort"), step(path, "sort")) if "sort" in given else ()
    skip = _count(given.get("skip", 0), step(path, "skip"))
    token = given.get("after", "")
    if token != "" and skip:
        raise invalid(step(path, "skip"), "cannot be combined with after", code="INVALID_OPTIONS")
    return Options(
        sort=sort,
        skip=skip,
        limit=_count(given.get("limit", 0), step(path, "limit")) or None,
        select=_stored(schema, given.get("select"), step(path, "select")),
        exclude=_stored(schema, given.get("exclude"), step(path, "exclude")),
        include_deleted=_flag(given.get("includeDeleted", False), step(path, "includeDeleted")),
        versions=_flag(given.get("versions", False), step(path, "versions")),
        after=_after(schema, token, sort, step(path, "after")),
    )


def relations(schema: EntitySchema, value: object, path: str = "$.relations") -> tuple[str, ...]:
    """Names of relations, given as a list or as text with commas. Raises `Invalid`."""
    found = columns.names(value, path)
    for name, place in found:
        if name not in schema.relations:
            near = did_you_mean(name, schema.relations)
            raise invalid(place, f"{quote(name)} is not a relation of {schema.name}{near}", code="UNKNOWN_RELATION")
    return tuple(name for name, _ in found)


def orders(scope: columns.Scope, value: object, path: str) -> tuple[Order, ...]:
    """The terms of a sort: ``{column: 1 | -1 | "asc" | "desc"}``."""
    found: dict[str, Order] = {}
    for key, member, place in columns.members(value, path):
        column = scope.find_ordered(key, place).name
        if column in found:
            raise invalid(place, "names a column that is sorted by already", code="INVALID_SORT")
        found[column] = Order(column, _descending(member, place))
    if len(found) > _MOST_TERMS:
        raise invalid(path, f"sorts by more than {_MOST_TERMS} columns", code="INVALID_SORT")
    return tuple(found.values())


def _descending(value: object, path: str) -> bool:
    if isinstance(value, str) and value.lower() in _DIRECTIONS:
        return _DIRECTIONS[value.lower()]
    if type(value) is int and value in (1, -1):
        return value < 0
    raise invalid(path, 'expected 1, -1, "asc" or "desc"', code="INVALID_SORT")


def _count(value: object, path: str) -> int:
    if type(value) is not int:
        raise invalid(path, f"expected a whole number, not {kind(value)}", code="INVALID_OPTIONS")
    if not 0 <= value <= LARGEST:
        raise invalid(path, "cannot be negative" if value < 0 else "is too large", code="INVALID_OPTIONS")
    return value


def _flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise invalid(path, f"expected a boolean, not {kind(value)}", code="INVALID_OPTIONS")
    return value


def _stored(schema: EntitySchema, value: object, path: str) -> tuple[str, ...]:
    """Columns and many-to-many relations, by the names under which rows hold them."""
    scope = columns.of(schema)
    links = {link.name for link in schema.links}
    found = (name if name in links else scope.find(name, place).name for name, place in columns.names(value, path))
    return tuple(dict.fromkeys(found))


def _after(schema: EntitySchema, token: object, sort: tuple[Order, ...], path: str) -> tuple[JsonValue, ...] | None:
    if token == "":
        return None
    if not isinstance(token, str):
        raise invalid(path, f"expected a cursor, not {kind(token)}", code="INVALID_CURSOR")
    return cursor.decode(token, sort, schema, path)
