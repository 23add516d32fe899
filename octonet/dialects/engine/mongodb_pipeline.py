"""The aggregation pipeline over rows in memory.

A server adds, averages and groups in ways of its own; these are those of every dialect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from octonet.dialects.engine.codec import as_number
from octonet.dialects.engine.pipeline import grouped_types
from octonet.kernel.aggregate import NO_GROUP, Accumulator, Function, Group, Limit, Match, Sort, Stage
from octonet.kernel.filter import Order
from octonet.kernel.filter_match import matches
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import ID, FieldType


def run(stages: Sequence[Stage], rows: list[Row], types: Mapping[str, FieldType], limit: int) -> list[Row]:
    """The pipeline's rows, at most `limit`, in the order of the last sort, then by id or group key."""
    orders: tuple[Order, ...] = ()
    tie = ID
    for stage in stages:
        if isinstance(stage, Match):
            rows = [row for row in rows if matches(stage.filter, row)]
        elif isinstance(stage, Group):
            types = grouped_types(stage, types)
            rows = _grouped(stage, rows)
            orders, tie = (), stage.by or NO_GROUP
        elif isinstance(stage, Sort):
            orders = stage.orders
        elif isinstance(stage, Limit):
            rows = ordered(rows, orders, tie)[: stage.count]
    return ordered(rows, orders, tie)[:limit]


def ordered(rows: list[Row], orders: Sequence[Order], tie: str) -> list[Row]:
    """As asked for, nulls lowest, and by the column `tie`, ascending."""
    for order in reversed((*orders, Order(tie))):
        rows = sorted(rows, key=_place(order.column), reverse=order.descending)
    return rows


def _place(column: str) -> Callable[[Row], tuple[bool, str | float]]:
    def place(row: Row) -> tuple[bool, str | float]:
        value = row.get(column)
        assert value is None or isinstance(value, str | int | float)
        return value is not None, "" if value is None else value

    return place


def _grouped(group: Group, rows: list[Row]) -> list[Row]:
    if group.by is None:
        return [{NO_GROUP: None, **_accumulated(group, rows)}]
    found: dict[JsonValue, list[Row]] = {}
    for row in rows:
        found.setdefault(_key(row.get(group.by)), []).append(row)
    return [{group.by: members[0].get(group.by), **_accumulated(group, members)} for members in found.values()]


def _key(value: JsonValue) -> JsonValue:
    assert value is None or isinstance(value, str | int | float)
    return value


def _accumulated(group: Group, rows: list[Row]) -> Row:
    return {each.alias: _value(each, rows) for each in group.accumulators}


def _value(accumulator: Accumulator, rows: list[Row]) -> JsonValue:
    function, operand = accumulator.function, accumulator.operand
    if function is Function.COUNT:
        return len(rows)
    if not isinstance(operand, str):
        return _of_a_number(function, operand, len(rows))
    held = [value for row in rows if (value := row.get(operand)) is not None]
    if function in (Function.MIN, Function.MAX):
        return _extreme(function, held)
    numbers = [value for value in held if isinstance(value, int | float)]
    if function is Function.AVG and not numbers:
        return None
    return as_number(_sum(numbers) / (len(numbers) if function is Function.AVG else 1))


def _of_a_number(function: Function, number: float, count: int) -> JsonValue:
    if function is Function.SUM:
        return as_number(number * count)
    return as_number(number) if count else None


def _extreme(function: Function, held: Sequence[JsonValue]) -> JsonValue:
    if not held:
        return None
    best = min if function is Function.MIN else max
    return best(held, key=lambda value: value if isinstance(value, str | int | float) else "")


def _sum(numbers: Sequence[float]) -> float:
    try:
        return math.fsum(numbers)
    except OverflowError:
        return sum(map(float, numbers))
