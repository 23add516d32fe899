"""The scalars. What a client may send is decided here once; values go out as the rows hold them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from octonet.kernel import value_types
from octonet.kernel.faults import kind
from octonet.kernel.value_types import Misfit

DateTime = NewType("DateTime", str)
Json = NewType("Json", object)
BigInt = NewType("BigInt", int)
Version = NewType("Version", object)

_EXACT: Final = value_types.LARGEST
_SMALLEST, _LARGEST = -(2**31), 2**31 - 1


def number(value: object) -> int | float:
    """A number that can be carried exactly; a whole one stays whole."""
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is int:
        if -_EXACT <= value <= _EXACT:
            return value
        raise Misfit("must be within ±2^53")
    raise Misfit(f"expected a number, not {kind(value)}")


def whole(value: object) -> int:
    """A number of 32 bits."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int and _SMALLEST <= value <= _LARGEST:
        return value
    raise Misfit("expected a whole number of 32 bits")


def text(value: object) -> str:
    """Text."""
    if isinstance(value, str):
        return value
    raise Misfit(f"expected text, not {kind(value)}")


def identity(value: object) -> str:
    """An id; a whole number stands for its digits."""
    if type(value) is int or (type(value) is float and value.is_integer()):
        return str(int(value))
    return text(value)


def _big(value: object) -> int:
    if type(value) is int:
        return value
    raise Misfit(f"expected a whole number, not {kind(value)}")


def _as_it_is(value: object) -> object:
    return value


READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "String": text,
    "ID": identity,
    "Float": number,
    "Int": whole,
    "Boolean": value_types.boolean,
    "DateTime": value_types.date,
    "JSON": _as_it_is,
    "BigInt": _big,
    "Version": _as_it_is,
}
"""What each scalar accepts, and in which spelling. Raises `Misfit`."""
PLAIN: Final[Mapping[str, type]] = {"String": str, "ID": str, "Boolean": bool}
"""Types whose values a scalar takes as they are, all of them."""


def _scalar(name: str, description: str) -> ScalarDefinition:
    return strawberry.scalar(name=name, description=description, serialize=_as_it_is, parse_value=READERS[name])


SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    DateTime: _scalar("DateTime", "A moment: ISO-8601, in UTC with milliseconds as it is answered."),
    Json: _scalar("JSON", "Any JSON value."),
    BigInt: _scalar("BigInt", "A whole number that may need more than 32 bits."),
    Version: _scalar("Version", "The version of a row: a whole number, or * for any."),
}
NAMED: Final[Mapping[str, object]] = {
    "String": str,
    "ID": strawberry.ID,
    "Float": float,
    "Int": int,
    "Boolean": bool,
    "DateTime": DateTime,
    "JSON": Json,
    "BigInt": BigInt,
    "Version": Version,
}
"""Each scalar as Strawberry's annotations name it."""
