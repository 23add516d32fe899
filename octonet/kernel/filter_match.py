"""Evaluates a filter over one row in memory, with the semantics that every dialect keeps."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import assert_never

from octonet.kernel.filter import And, Compare, Comparison, Filter, In, IsNull, Like, Literal, Or, Wild, Wildcard
from octonet.kernel.ids import JsonValue, Row

_MANY = Wild(Wildcard.MANY)


def matches(where: Filter, row: Row) -> bool:
    """Whether the row (in wire form) is one the filter asks for. A column the row lacks counts as null."""
    match where:
        case And(parts):
            return all(matches(part, row) for part in parts)
        case Or(parts):
            return any(matches(part, row) for part in parts)
        case IsNull(column, wanted):
            return (row.get(column) is None) is wanted
        case Compare(column, op, value):
            return _compares(row.get(column), op, value)
        case In(column, values, negated):
            held = row.get(column)
            return (negated and not values) or (held is not None and (held in values) is not negated)
        case Like(column):
            held = row.get(column)
            return isinstance(held, str) and _is_like(where, held) is not where.negated
        case _:
            assert_never(where)


def _compares(held: JsonValue, op: Comparison, value: str | int | float | bool) -> bool:
    if held is None:
        return False
    if op is Comparison.EQ:
        return held == value
    if op is Comparison.NE:
        return held != value
    if isinstance(held, str) and isinstance(value, str):
        return _ordered(op, held < value, held == value)
    if isinstance(held, int | float) and isinstance(value, int | float):
        return _ordered(op, held < value, held == value)
    return False


def _ordered(op: Comparison, less: bool, equal: bool) -> bool:
    match op:
        case Comparison.LT:
            return less
        case Comparison.LTE:
            return less or equal
        case Comparison.GT:
            return not less and not equal
        case _:
            return not less


def _is_like(like: Like, held: str) -> bool:
    return _expression(like).fullmatch(held.lower() if like.ignore_case else held) is not None


@lru_cache(maxsize=512)
def _expression(like: Like) -> re.Pattern[str]:
    return re.compile(expression(like), re.DOTALL)


def expression(like: Like) -> str:
    """The pattern as a regular expression that matches a whole text, a dot being any sign. Each run between two
    wildcards is found at its first place and never moved again (an atomic group), so that no pattern can make the
    search explode."""
    runs: list[str] = [""]
    for part in like.parts:
        if part == _MANY:
            runs.append("")
        elif isinstance(part, Literal):
            runs[-1] += re.escape(part.text.lower() if like.ignore_case else part.text)
        else:
            runs[-1] += "."
    if len(runs) == 1:
        return runs[0]
    middle = "".join(f"(?>.*?{run})" for run in runs[1:-1])
    return f"{runs[0]}{middle}.*{runs[-1]}"
