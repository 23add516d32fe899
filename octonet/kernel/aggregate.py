"""The aggregation pipeline: stages in order, each seeing only what the stage before it lets through."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from octonet.kernel.filter import Filter, Order

NO_GROUP = "_group"
"""The name under which a pipeline grouped by nothing returns its (null) key."""


class Function(StrEnum):
    """What an accumulator computes."""

    SUM = "sum"
    COUNT = "count"
    AVG = "avg"
    MIN = "min"
    MAX = "max"


class Accumulator(msgspec.Struct, frozen=True):
    """`alias: {$function: operand}`; the operand is a column, or a number for ``$sum: 1``."""

    alias: str
    function: Function
    operand: str | int | float


class Match(msgspec.Struct, frozen=True, tag="match"):
    """Keep the rows that match."""

    filter: Filter


class Group(msgspec.Struct, frozen=True, tag="group"):
    """One row per value of `by` (one row in all when None), returned under the column's own name."""

    by: str | None
    accumulators: tuple[Accumulator, ...]


class Sort(msgspec.Struct, frozen=True, tag="sort"):
    """Order the rows."""

    orders: tuple[Order, ...]


class Limit(msgspec.Struct, frozen=True, tag="limit"):
    """Keep the first `count` rows."""

    count: int


Stage: TypeAlias = Match | Group | Sort | Limit
