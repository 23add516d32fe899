"""The filter language and the read options as frozen trees, parsed once (`filter_parse`), compiled once per dialect.

Semantics, the same on every dialect: comparisons with a null column are false (also ``$ne`` and ``$nin``), except the
explicit null tests; text compares by code point; ascending order puts nulls first, descending puts them last.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from octonet.kernel.ids import JsonValue


class Comparison(StrEnum):
    """The binary comparisons."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


class Compare(msgspec.Struct, frozen=True, tag="cmp", array_like=True):
    """`column <op> value`; the value is never null and already has the column's type."""

    column: str
    op: Comparison
    value: str | int | float | bool


class IsNull(msgspec.Struct, frozen=True, tag="null", array_like=True):
    """`column IS [NOT] NULL`."""

    column: str
    wanted: bool


class In(msgspec.Struct, frozen=True, tag="in", array_like=True):
    """`column [NOT] IN values`; no values: nothing, or, negated, everything."""

    column: str
    values: tuple[str | int | float | bool, ...]
    negated: bool = False


class Wildcard(StrEnum):
    """What a pattern may hold beside literal text."""

    ONE = "one"
    MANY = "many"


class Literal(msgspec.Struct, frozen=True, tag="lit", array_like=True):
    """Literal text inside a pattern."""

    text: str


class Wild(msgspec.Struct, frozen=True, tag="wild", array_like=True):
    """One or any number of characters inside a pattern."""

    kind: Wildcard


class Like(msgspec.Struct, frozen=True, tag="like", array_like=True):
    """`column` as a whole matches the parts in sequence, or, negated, does not. Null does neither."""

    column: str
    parts: tuple[Literal | Wild, ...]
    ignore_case: bool = False
    negated: bool = False


class And(msgspec.Struct, frozen=True, tag="and", array_like=True):
    """All of them; no parts: everything."""

    parts: tuple[Filter, ...]


class Or(msgspec.Struct, frozen=True, tag="or", array_like=True):
    """Any of them; no parts: nothing."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = Compare | IsNull | In | Like | And | Or

EVERYTHING = And(())


class Order(msgspec.Struct, frozen=True, array_like=True):
    """One term of a sort."""

    column: str
    descending: bool = False


class Options(msgspec.Struct, frozen=True):
    """How a page of rows is cut. `limit` None means the configured default; `after` is a keyset cursor, decoded:
    the sort values of the last row seen, its id last."""

    sort: tuple[Order, ...] = ()
    skip: int = 0
    limit: int | None = None
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include_deleted: bool = False
    versions: bool = False
    """Whether the rows of a list carry their versions, as `_version`."""
    after: tuple[JsonValue, ...] | None = None
