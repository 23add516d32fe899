"""Expressions of OData as frozen trees. `at` is the character at which each begins."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec


class LiteralKind(StrEnum):
    """What a literal is by its spelling."""

    NULL = "null"
    BOOLEAN = "boolean"
    NUMBER = "number"
    STRING = "string"
    DATE = "date"
    MOMENT = "moment"
    GUID = "guid"
    OTHER = "other"
    """Spelled right, but of a type that no column here has."""


class Literal(msgspec.Struct, frozen=True):
    """A constant; dates, moments and GUIDs as text."""

    kind: LiteralKind
    value: str | int | float | bool | None
    at: int


class Path(msgspec.Struct, frozen=True):
    """A property, the navigation to it before it: ``author/name``."""

    names: tuple[str, ...]
    at: int


class Call(msgspec.Struct, frozen=True):
    """A function with its arguments; the name in lower case."""

    name: str
    arguments: tuple[Expression, ...]
    at: int


class Compare(msgspec.Struct, frozen=True):
    """``left <operator> right``: eq, ne, gt, ge, lt, le."""

    operator: str
    left: Expression
    right: Expression
    at: int


class In(msgspec.Struct, frozen=True):
    """``left in (items)``."""

    left: Expression
    items: tuple[Expression, ...]
    at: int


class Not(msgspec.Struct, frozen=True):
    """``not inner``."""

    inner: Expression
    at: int


class Junction(msgspec.Struct, frozen=True):
    """Two or more parts joined by one ``and`` or ``or``."""

    conjunctive: bool
    parts: tuple[Expression, ...]
    at: int


class Lambda(msgspec.Struct, frozen=True):
    """``path/any(variable:body)`` or ``all``; an ``any()`` without a body has neither."""

    path: Path
    universal: bool
    variable: str
    body: Expression | None
    at: int


class Count(msgspec.Struct, frozen=True):
    """``path/$count``."""

    path: Path
    at: int


class Arithmetic(msgspec.Struct, frozen=True):
    """``left add right`` and the like."""

    operator: str
    left: Expression
    right: Expression
    at: int


Expression: TypeAlias = Literal | Path | Call | Compare | In | Not | Junction | Lambda | Count | Arithmetic
