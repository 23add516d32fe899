"""What OData's expressions mean, by its specification: written as terms that know their own text and their own value.

Nothing here is shared with the server: null is None, a condition is True, False or None, and rows are plain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Value: TypeAlias = Any


@dataclass(frozen=True)
class Term:
    """A piece of an expression."""

    text: str
    of: Callable[[Row], Value]


def prop(path: str) -> Term:
    """A property; from a navigation that leads nowhere comes null."""

    def value(row: Row) -> Value:
        found: Value = row
        for name in path.split("/"):
            found = None if found is None else found[name]
        return _moment(found) if path.endswith("born") else found

    return Term(path, value)


def const(value: Value, text: str | None = None) -> Term:
    """A literal."""
    if text is None:
        words = {None: "null", True: "true", False: "false"}
        if value is None or isinstance(value, bool):
            text = words[value]
        else:
            text = "'{}'".format(value.replace("'", "''")) if isinstance(value, str) else str(value)
    return Term(text, lambda _: value)


def moment(text: str) -> Term:
    """A date, or a date and time, as OData writes them."""
    found = _moment(text)
    return Term(text, lambda _: found)


def _moment(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def compare(left: Term, operator: str, right: Term) -> Term:
    """Two values; with a null nothing is less or greater, and only null equals null (5.1.1.1)."""

    def value(row: Row) -> bool:
        a, b = left.of(row), right.of(row)
        if operator == "eq":
            return bool(a == b)
        if operator == "ne":
            return bool(a != b)
        if a is None or b is None:
            return False
        return bool({"gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[operator])

    return Term(f"{left.text} {operator} {right.text}", value)


def among(left: Term, items: Sequence[Term]) -> Term:
    """`in`: equal to any of them."""
    text = f"{left.text} in ({','.join(item.text for item in items)})"
    return Term(text, lambda row: any(left.of(row) == item.of(row) for item in items))


def both(left: Term, right: Term) -> Term:
    """`and`: false wins, then null (5.1.1.1.7)."""

    def value(row: Row) -> bool | None:
        parts = left.of(row), right.of(row)
        return False if False in parts else None if None in parts else True

    return Term(f"({left.text}) and ({right.text})", value)


def either(left: Term, right: Term) -> Term:
    """`or`: true wins, then null."""

    def value(row: Row) -> bool | None:
        parts = left.of(row), right.of(row)
        return True if True in parts else None if None in parts else False

    return Term(f"({left.text}) or ({right.text})", value)


def negated(inner: Term) -> Term:
    """`not`: of null it is null."""

    def value(row: Row) -> bool | None:
        found = inner.of(row)
        return None if found is None else not found

    return Term(f"not ({inner.text})", value)


def call(name: str, *arguments: Term) -> Term:
    """A function; where an argument is null, so is its value."""

    def value(row: Row) -> Value:
        found = [argument.of(row) for argument in arguments]
        return None if None in found else _FUNCTIONS[name](*found)

    return Term(f"{name}({','.join(argument.text for argument in arguments)})", value)


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "length": len,
    "indexof": lambda text, part: text.find(part),
    "year": lambda moment: moment.year,
    "date": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
}


def exists(path: str, variable: str, condition: Term | None = None) -> Term:
    """`any`: true where the condition is true of one of the rows; it is never null."""

    def value(row: Row) -> bool:
        return any(condition is None or condition.of({variable: each}) is True for each in row[path])

    return Term(f"{path}/any({f'{variable}:{condition.text}' if condition else ''})", value)


def every(path: str, variable: str, condition: Term) -> Term:
    """`all`: true where the condition is true of each of the rows."""
    value: Callable[[Row], bool] = lambda row: all(condition.of({variable: each}) is True for each in row[path])  # noqa: E731
    return Term(f"{path}/all({variable}:{condition.text})", value)


def kept(condition: Term, rows: Sequence[Row]) -> list[str]:
    """The ids of the rows that $filter keeps: those for which it is true."""
    return [row["id"] for row in rows if condition.of(row) is True]


def ordered(rows: Sequence[Row], *terms: tuple[str, bool]) -> list[str]:
    """The ids in the order of $orderby: null before all values when ascending (11.2.5.2), the id deciding last."""
    found = sorted(rows, key=lambda row: row["id"])
    for name, descending in reversed(terms):
        found.sort(key=lambda row: (row[name] is not None, row[name]), reverse=descending)
    return [row["id"] for row in found]
