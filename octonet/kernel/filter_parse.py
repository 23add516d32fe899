"""Reads the filter language into a frozen tree: what is not understood is refused, never passed over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from octonet.kernel import columns, pattern
from octonet.kernel.columns import Scope
from octonet.kernel.errors import Invalid, invalid, validation
from octonet.kernel.faults import did_you_mean, kind, quote, step
from octonet.kernel.filter import EVERYTHING, And, Compare, Comparison, Filter, In, IsNull, Like, Or
from octonet.kernel.schema import Column, EntitySchema, FieldType

DEEPEST: Final = 32
"""Levels of $and and $or."""
MOST_VALUES: Final = 10_000
"""Values of one $in."""
_CODE: Final = "INVALID_FILTER"
_FLAGS: Final = ("$regexFlags", "$options")
_OBJECTS: Final = (FieldType.JSON, FieldType.ARRAY)
_TEXTUAL: Final = (FieldType.STRING, FieldType.TEXT)
_Reader: TypeAlias = Callable[[Column, object, str], Filter]


def parse(schema: EntitySchema, value: object, path: str = "$.filter") -> Filter:
    """The filter over an entity's columns; absent, null and {} mean everything. Raises `Invalid` for a name or an
    operator that is not known, `ValidationError` for a value that does not fit, each naming the path."""
    return parse_within(columns.of(schema), value, path)


def parse_within(scope: Scope, value: object, path: str) -> Filter:
    """The same over any columns."""
    if value is None or value is msgspec.UNSET:
        return EVERYTHING
    return _conditions(scope, value, path, 0)


def mentions(where: Filter, column: str) -> bool:
    """Whether a filter speaks of a column."""
    if isinstance(where, And | Or):
        return any(mentions(part, column) for part in where.parts)
    return where.column == column


def _conditions(scope: Scope, value: object, path: str, depth: int) -> Filter:
    if depth > DEEPEST:
        raise invalid(path, f"conditions are nested more than {DEEPEST} levels deep", code=_CODE)
    parts: list[Filter] = []
    for key, member, place in columns.members(value, path):
        if key in ("$and", "$or"):
            parts.append(_junction(scope, key, member, place, depth + 1))
        elif key.startswith("$"):
            raise _unknown_operator(key, place, ("$and", "$or"))
        else:
            parts.append(_column(scope.find(key, place), member, place))
    return _all(parts)


def _junction(scope: Scope, key: str, value: object, path: str, depth: int) -> Filter:
    if not isinstance(value, list | tuple):
        raise invalid(path, f"expected a list of filters, not {kind(value)}", code=_CODE)
    parts = [_conditions(scope, item, f"{path}[{i}]", depth) for i, item in enumerate(value)]
    if key == "$and":
        return _all(parts)
    if EVERYTHING in parts:
        return EVERYTHING
    return parts[0] if len(parts) == 1 else Or(tuple(parts))


def _all(parts: list[Filter]) -> Filter:
    """All of the parts, as the smallest tree that says so: what excludes nothing must look like EVERYTHING."""
    narrowing = [part for part in parts if part != EVERYTHING]
    return narrowing[0] if len(narrowing) == 1 else And(tuple(narrowing))


def _column(column: Column, value: object, path: str) -> Filter:
    if not isinstance(value, dict):
        return _equal(column, value, path)
    if not value:
        raise invalid(path, "names no operator", code=_CODE)
    parts: list[Filter] = []
    for key, member, place in columns.members(value, path):
        reader = _READERS.get(key)
        if reader is not None:
            parts.append(reader(column, member, place))
        elif key == "$regex":
            parts.append(_like(column, member, place, _ignore_case(value, path)))
        elif key == "$not":
            parts.append(_unlike(column, member, place))
        elif key not in _FLAGS:
            raise _unknown_operator(key, place, (*_READERS, "$regex", "$not"))
        elif "$regex" not in value:
            raise invalid(place, "belongs to a $regex", code=_CODE)
    return _all(parts)


def _unknown_operator(key: str, path: str, known: tuple[str, ...]) -> Invalid:
    return invalid(path, f"{quote(key)} is not an operator{did_you_mean(key, known)}", code="UNKNOWN_OPERATOR")


def _equal(column: Column, value: object, path: str) -> Filter:
    if value is None:
        return IsNull(column.name, True)
    return _compare(column, Comparison.EQ, value, path)


def _differs(column: Column, value: object, path: str) -> Filter:
    if value is None:
        return IsNull(column.name, False)
    return _compare(column, Comparison.NE, value, path)


def _compare(column: Column, op: Comparison, value: object, path: str) -> Filter:
    _comparable(column, path)
    if value is None:
        raise validation(path, "null has no order: use $exists, or $eq and $ne with null")
    return Compare(column.name, op, columns.fit(column, value, path))


def _ordering(op: Comparison) -> _Reader:
    return lambda column, value, path: _compare(column, op, value, path)


def _among(column: Column, value: object, path: str) -> Filter:
    values, with_null = _values(column, value, path)
    if not with_null:
        return In(column.name, values)
    return Or((IsNull(column.name, True), In(column.name, values))) if values else IsNull(column.name, True)


def _not_among(column: Column, value: object, path: str) -> Filter:
    values, with_null = _values(column, value, path)
    if values:
        return In(column.name, values, negated=True)
    return IsNull(column.name, False) if with_null else EVERYTHING


def _values(column: Column, value: object, path: str) -> tuple[tuple[str | int | float | bool, ...], bool]:
    """The distinct values of a list, and whether null was among them."""
    _comparable(column, path)
    if not isinstance(value, list | tuple):
        raise validation(path, f"expected a list, not {kind(value)}")
    if len(value) > MOST_VALUES:
        raise validation(path, f"has {len(value)} values, more than {MOST_VALUES}")
    given = [columns.fit(column, item, f"{path}[{i}]") for i, item in enumerate(value) if item is not None]
    return tuple(dict.fromkeys(given)), None in value


def _exists(column: Column, value: object, path: str) -> Filter:
    if not isinstance(value, bool):
        raise validation(path, f"expected a boolean, not {kind(value)}")
    return IsNull(column.name, not value)


def _like(column: Column, value: object, path: str, ignore_case: bool) -> Like:
    if column.type not in _TEXTUAL:
        raise invalid(path, f"{quote(column.name)} holds no text to search in", code=columns.NOT_ALLOWED)
    return Like(column.name, pattern.parse(value, path), ignore_case)


def _unlike(column: Column, value: object, path: str) -> Filter:
    """What a pattern does not match; null, as with every comparison, is not meant. All else has an operator of its own
    for its opposite."""
    members = {key: (member, place) for key, member, place in columns.members(value, path)}
    if "$regex" not in members or not members.keys() <= {"$regex", *_FLAGS}:
        raise invalid(path, "takes a $regex and its flags only", code=_CODE)
    ignore_case = _ignore_case({key: member for key, (member, _) in members.items()}, path)
    found = _like(column, *members["$regex"], ignore_case)
    return msgspec.structs.replace(found, negated=True)


def _ignore_case(operators: Mapping[str, object], path: str) -> bool:
    given = [(key, operators[key]) for key in _FLAGS if operators.get(key) not in (None, "")]
    for key, flags in given:
        if flags != "i":
            raise invalid(step(path, key), 'the only flag is "i"', code="UNSUPPORTED_PATTERN")
    return bool(given)


def _comparable(column: Column, path: str) -> None:
    if column.type in _OBJECTS:
        what = f"{quote(column.name)} holds {column.type} values: it can only be compared with null"
        raise invalid(path, what, code=columns.NOT_ALLOWED)


_READERS: Final[Mapping[str, _Reader]] = {
    "$eq": _equal,
    "$ne": _differs,
    "$gt": _ordering(Comparison.GT),
    "$gte": _ordering(Comparison.GTE),
    "$lt": _ordering(Comparison.LT),
    "$lte": _ordering(Comparison.LTE),
    "$in": _among,
    "$nin": _not_among,
    "$exists": _exists,
}
