"""Keyset cursors: where a page ended, as a token, and as the condition that what follows meets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec

from octonet.kernel import columns
from octonet.kernel.errors import Invalid, ValidationError, invalid
from octonet.kernel.filter import And, Compare, Comparison, Filter, IsNull, Or, Order
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import ID, EntitySchema

_CODE: Final = "INVALID_CURSOR"
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_encode: Final = msgspec.json.Encoder().encode


def encode(values: tuple[JsonValue, ...]) -> str:
    """The token for the last row of a page: the values it is sorted by, its id last. URL-safe, without padding."""
    text = binascii.b2a_base64(_encode(values), newline=False)
    return text.translate(_URL_SAFE, b"=").decode()


def decode(token: str, orders: Sequence[Order], schema: EntitySchema, path: str) -> tuple[JsonValue, ...]:
    """Read a token made under the same sort; anything else is refused with INVALID_CURSOR."""
    try:
        raw = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        values: object = msgspec.json.decode(raw)
    except (ValueError, RecursionError, binascii.Error, msgspec.DecodeError):
        raise invalid(path, "is not a cursor of this server", code=_CODE) from None
    if not isinstance(values, list) or len(values) != len(orders) + 1:
        raise _stranger(path)
    names = [*(order.column for order in orders), ID]
    return tuple(_value(schema, name, value, path) for name, value in zip(names, values, strict=True))


def _value(schema: EntitySchema, name: str, value: object, path: str) -> JsonValue:
    if value is None and name != ID:
        return None
    try:
        return columns.fit(schema.columns[name], value, path)
    except ValidationError:
        raise _stranger(path) from None


def _stranger(path: str) -> Invalid:
    return invalid(path, "is not a cursor of this sort", code=_CODE)


def _terms(orders: Sequence[Order]) -> tuple[Order, ...]:
    """The sort as it decides: nothing after the id matters, and the id, ascending, decides last."""
    found: list[Order] = []
    for order in orders:
        found.append(order)
        if order.column == ID:
            return tuple(found)
    return (*found, Order(ID))


def after(orders: Sequence[Order], values: tuple[JsonValue, ...]) -> Filter:
    """What the rows behind the row with these values meet; nulls stand first ascending and last descending."""
    sort = _terms(orders)
    last = [*values[: len(orders)], values[-1]]
    places = list(zip(sort, last, strict=False))
    steps: list[Filter] = []
    for i, (order, value) in enumerate(places):
        beyond = _beyond(order, value)
        if beyond is not None:
            same = (_equal(earlier.column, held) for earlier, held in places[:i])
            steps.append(And((*same, beyond)) if i else beyond)
    first, held = places[0]
    behind = steps[0] if len(steps) == 1 else Or(tuple(steps))
    if len(places) > 1 and not first.descending and held is not None:
        # Implied by the rest, but in this form an index can seek to it.
        return And((_compare(first.column, Comparison.GTE, held), behind))
    return behind


def _beyond(order: Order, value: JsonValue) -> Filter | None:
    if value is None:
        return None if order.descending else IsNull(order.column, False)
    if not order.descending:
        return _compare(order.column, Comparison.GT, value)
    return Or((_compare(order.column, Comparison.LT, value), IsNull(order.column, True)))


def _equal(column: str, value: JsonValue) -> Filter:
    return IsNull(column, True) if value is None else _compare(column, Comparison.EQ, value)


def _compare(column: str, op: Comparison, value: JsonValue) -> Compare:
    assert isinstance(value, str | int | float | bool)
    return Compare(column, op, value)
