"""Reads an aggregation pipeline; each stage may name only what the stage before it lets through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from octonet.kernel import columns, filter_parse, options_parse, value_types
from octonet.kernel.aggregate import Accumulator, Function, Group, Limit, Match, Sort, Stage
from octonet.kernel.columns import Scope
from octonet.kernel.document import LONGEST_NAME, NAME
from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.faults import did_you_mean, kind, quote
from octonet.kernel.schema import Column, EntitySchema, FieldType
from octonet.kernel.value_types import LARGEST, Misfit

_CODE: Final = "INVALID_STAGE"
_MOST: Final = 20
_BY: Final = "_by"
_Reader: TypeAlias = Callable[[Scope, object, str], tuple[Stage, Scope]]


def parse(schema: EntitySchema, value: object, path: str = "$.stages") -> tuple[Stage, ...]:
    """The stages, in order: at least one, at most twenty. Raises `Invalid` or `ValidationError` naming the path."""
    if value is None or value is msgspec.UNSET or value == []:
        raise invalid(path, "needs at least one stage", code="MISSING_STAGES")
    if not isinstance(value, list | tuple):
        raise invalid(path, f"expected a list of stages, not {kind(value)}", code=_CODE)
    if len(value) > _MOST:
        raise invalid(path, f"has {len(value)} stages, more than {_MOST}", code=_CODE)
    scope = columns.of(schema)
    stages: list[Stage] = []
    for i, item in enumerate(value):
        stage, scope = _stage(scope, item, f"{path}[{i}]")
        stages.append(stage)
    return tuple(stages)


def _stage(scope: Scope, value: object, path: str) -> tuple[Stage, Scope]:
    (key, member, place) = _only_member(value, path, "a stage has exactly one name")
    reader = _STAGES.get(key)
    if reader is None:
        raise invalid(place, f"{quote(key)} is not a stage{did_you_mean(key, _STAGES)}", code="UNKNOWN_STAGE")
    return reader(scope, member, place)


def _only_member(value: object, path: str, sentence: str) -> tuple[str, object, str]:
    found = columns.members(value, path)
    if len(found) != 1:
        raise invalid(path, sentence, code=_CODE)
    return found[0]


def _match(scope: Scope, value: object, path: str) -> tuple[Stage, Scope]:
    return Match(filter_parse.parse_within(scope, value, path)), scope


def _sort(scope: Scope, value: object, path: str) -> tuple[Stage, Scope]:
    found = options_parse.orders(scope, value, path)
    if not found:
        raise invalid(path, "names no column", code=_CODE)
    return Sort(found), scope


def _limit(scope: Scope, value: object, path: str) -> tuple[Stage, Scope]:
    if type(value) is not int or not 0 < value <= LARGEST:
        raise invalid(path, "expected a whole number above 0", code=_CODE)
    return Limit(value), scope


def _group(scope: Scope, value: object, path: str) -> tuple[Stage, Scope]:
    by: Column | None = None
    made: dict[str, Column] = {}
    accumulators: list[Accumulator] = []
    members = columns.members(value, path)
    for key, member, place in members:
        if key == _BY and member is not None:
            by = scope.find_ordered(_unprefixed(member), place)
            made[by.name] = by
    taken = {name.lower() for name in made}
    for key, member, place in members:
        if key == _BY:
            continue
        _check_alias(key, place, taken)
        taken.add(key.lower())
        accumulator, result = _accumulator(scope, key, member, place)
        accumulators.append(accumulator)
        made[key] = Column(key, result)
    group = Group(by.name if by else None, tuple(accumulators))
    return group, Scope(made, {}, "the group")


def _check_alias(alias: str, path: str, taken: set[str]) -> None:
    if not NAME.fullmatch(alias) or len(alias) > LONGEST_NAME:
        hint = "; group with _by" if alias == "_id" else ""
        raise invalid(path, f"{quote(alias)} is not a name: a letter, then letters, digits or _{hint}", code=_CODE)
    if alias.lower() in taken:
        raise invalid(path, f"{quote(alias)} is the name of another column of the group", code=_CODE)


def _accumulator(scope: Scope, alias: str, value: object, path: str) -> tuple[Accumulator, FieldType]:
    (key, operand, place) = _only_member(value, path, "an accumulator has exactly one function")
    if key not in _FUNCTIONS:
        near = did_you_mean(key, _FUNCTIONS)
        raise invalid(place, f"{quote(key)} is not an accumulator{near}", code="UNKNOWN_ACCUMULATOR")
    function = _FUNCTIONS[key]
    if function is Function.COUNT:
        if operand is not True:
            raise invalid(place, "expected true", code=_CODE)
        return Accumulator(alias, function, 1), FieldType.NUMBER
    if function is Function.SUM and isinstance(operand, int | float) and not isinstance(operand, bool):
        return Accumulator(alias, function, _constant(operand, place)), FieldType.NUMBER
    column = scope.find_ordered(_unprefixed(operand), place)
    if function in (Function.MIN, Function.MAX):
        if column.type is FieldType.BOOLEAN:
            raise _wrong_type(column, key, place)
        return Accumulator(alias, function, column.name), column.type
    if column.type is not FieldType.NUMBER:
        raise _wrong_type(column, key, place)
    return Accumulator(alias, function, column.name), FieldType.NUMBER


def _wrong_type(column: Column, function: str, path: str) -> Invalid:
    return invalid(path, f"{quote(column.name)} is of type {column.type}: {function} does not take it", code=_CODE)


def _constant(value: object, path: str) -> int | float:
    try:
        return value_types.number(value)
    except Misfit as misfit:
        raise invalid(path, str(misfit), code=_CODE) from None


def _unprefixed(name: object) -> object:
    return name.removeprefix("$") if isinstance(name, str) else name


_STAGES: Final[Mapping[str, _Reader]] = {"$match": _match, "$group": _group, "$sort": _sort, "$limit": _limit}
_FUNCTIONS: Final[Mapping[str, Function]] = {f"${function}": function for function in Function}
