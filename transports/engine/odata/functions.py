"""The functions of an expression, as far as a filter can say them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from octonet.kernel import pattern
from octonet.kernel.errors import OctonetError
from octonet.kernel.filter import Literal as Text
from octonet.kernel.filter import Wild, Wildcard
from transports.engine.odata.conditions import (
    NOTHING,
    Condition,
    Wanted,
    all_of,
    any_of,
    compares,
    is_null,
)

LONGEST: Final = 256
"""Characters of a pattern in our filters."""
OPPOSITE: Final[Mapping[str, str]] = {"eq": "ne", "ne": "eq", "gt": "le", "le": "gt", "lt": "ge", "ge": "lt"}
KNOWN: Final = frozenset(
    (
        "cast", "ceiling", "concat", "contains", "date", "day", "endswith", "floor", "fractionalseconds",
        "geo.distance", "geo.intersects", "geo.length", "hassubset", "hassubsequence", "hour", "indexof", "isof",
        "length", "matchespattern", "maxdatetime", "mindatetime", "minute", "month", "now", "round", "second",
        "startswith", "substring", "time", "tolower", "totaloffsetminutes", "totalseconds", "toupper", "trim", "year",
        "case",
    )
)  # fmt: skip
"""Of OData; all others are no functions at all."""
_MANY: Final = Wild(Wildcard.MANY)


def escaped(text: str) -> str:
    """A text as a pattern that finds it literally."""
    return "".join(c if c.isalnum() else f"\\{c}" for c in text)


def likes(column: str, sought: str, ignore_case: bool, wanted: Wanted) -> Condition:
    """A pattern matches, or does not; null where the column is."""
    regex: dict[str, object] = {"$regex": sought}
    if ignore_case:
        regex["$regexFlags"] = "i"
    found = Condition({column: regex if wanted.truth else {"$not": regex}}, False)
    return any_of((found, is_null(column))) if wanted.or_null else found


def never_like(column: str, wanted: Wanted) -> Condition:
    """The same of a pattern that no text matches."""
    found = NOTHING if wanted.truth else is_null(column, False)
    return any_of((found, is_null(column))) if wanted.or_null else found


def pattern_of(text: str) -> str | None:
    """The pattern of a ``matchesPattern`` that means to us what it means to OData; None where it does not."""
    try:
        parts = pattern.parse(text, "")
    except OctonetError:
        return None
    inner = [part for part in parts if part != _MANY]
    return text if all(isinstance(part, Text) for part in inner) and len(inner) <= 1 else None


def two_valued(column: str, operator: str, valued: Callable[[str], Condition], wanted: Wanted) -> Condition:
    """A comparison of what a column gives: with null it is false, ``ne`` true. `valued` says it for columns that have
    a value, by the operator."""
    found = valued(operator if wanted.truth else OPPOSITE[operator])
    return any_of((found, is_null(column))) if (operator == "ne") is wanted.truth else found


def ranges(column: str, start: str, end: str) -> Callable[[str], Condition]:
    """Comparisons with a stretch of values, from `start` to before `end`, as one value: a year, a day."""
    from_start, before_start = compares(column, "$gte", start), compares(column, "$lt", start)
    from_end, before_end = compares(column, "$gte", end), compares(column, "$lt", end)
    return {
        "eq": all_of((from_start, before_end)),
        "ne": any_of((before_start, from_end)),
        "lt": before_start,
        "ge": from_start,
        "gt": from_end,
        "le": before_end,
    }.__getitem__


def years(column: str, year: int) -> Callable[[str], Condition] | None:
    """Comparisons with a year; None for one that no date here has."""
    if not 1 <= year < datetime.max.year:
        return None
    return ranges(column, f"{year:04}-01-01T00:00:00.000Z", f"{year + 1:04}-01-01T00:00:00.000Z")


def days(column: str, day: str) -> Callable[[str], Condition] | None:
    """Comparisons with a day; None for one that is none."""
    try:
        start = date.fromisoformat(day)
        end = start + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return ranges(column, f"{start.isoformat()}T00:00:00.000Z", f"{end.isoformat()}T00:00:00.000Z")


def lengths(column: str, length: int) -> Callable[[str], Condition] | None:
    """Comparisons of a text's length; None where the pattern would be too long."""
    if length > LONGEST - 10:
        return None

    def at_least(least: int, truth: bool = True) -> Condition:
        if least <= 0:
            return is_null(column, False) if truth else NOTHING
        return likes(column, "^" + "." * least, False, Wanted(truth))

    def exactly(truth: bool) -> Condition:
        if length < 0:
            return NOTHING if truth else is_null(column, False)
        return likes(column, f"^{'.' * length}$", False, Wanted(truth))

    def valued(operator: str) -> Condition:
        match operator:
            case "eq" | "ne":
                return exactly(operator == "eq")
            case "ge" | "lt":
                return at_least(length, operator == "ge")
            case _:
                return at_least(length + 1, operator == "gt")

    return valued


def places(column: str, sought: str, place: int) -> Mapping[str, Condition]:
    """Comparisons of where a text is found, by the operator, as far as that is whether, or at the start."""
    anywhere = likes(column, escaped(sought), False, Wanted())
    nowhere = likes(column, escaped(sought), False, Wanted(False))
    at_start, not_there = (likes(column, "^" + escaped(sought), False, Wanted(truth)) for truth in (True, False))
    valued = is_null(column, False)
    by_place: Mapping[int, Mapping[str, Condition]] = {
        -1: {"eq": nowhere, "ne": anywhere, "gt": anywhere, "le": nowhere, "ge": valued, "lt": NOTHING},
        0: {
            "eq": at_start, "ne": not_there, "ge": anywhere, "lt": nowhere,
            "gt": all_of((anywhere, not_there)), "le": any_of((nowhere, at_start)),
        },
    }  # fmt: skip
    return by_place.get(place, {})


def now() -> str:
    """The moment at which the expression is read."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
