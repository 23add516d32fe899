"""How the values of a field become values of another type. Pure, and the same for every database, so that tables that
are changed in place and tables that are replayed hold the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias, cast

import msgspec

from octonet.kernel import value_types
from octonet.kernel.faults import quote
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import Field, FieldType
from octonet.kernel.value_types import Misfit

Conversion: TypeAlias = Callable[[JsonValue], JsonValue]
"""Takes a value that is not null. Raises `Misfit` where it does not convert."""


class Keeps(StrEnum):
    """How many values of one type another type can hold."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


def keeps(before: FieldType, after: FieldType) -> Keeps:
    """What becomes of the values when a field changes its type."""
    found = _TABLE.get((before, after))
    if found is not None:
        return found[0]
    return Keeps.ALL if before is after else Keeps.NONE


def conversion(before: FieldType, after: Field) -> Conversion:
    """Turns values of a field that was of type `before` into values of the field as it is now, in the spelling of a
    write of today."""
    found = _TABLE.get((before, after.type))
    turn = found[1] if found is not None else _same if before is after.type else _impossible(before, after.type)
    check = value_types.for_field(after)
    return lambda value: check(turn(value))


def _impossible(before: FieldType, after: FieldType) -> Conversion:
    def refuse(value: JsonValue) -> JsonValue:
        raise Misfit(f"a {before} cannot become a {after}")

    return refuse


def _same(value: JsonValue) -> JsonValue:
    return value


def _as_text(value: JsonValue) -> JsonValue:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _as_json(value: JsonValue) -> JsonValue:
    """A text that spells an object or a list becomes it; any other stays a text."""
    found = _decoded(value)
    return cast("JsonValue", found) if isinstance(found, dict | list) else value


def _as_array(value: JsonValue) -> JsonValue:
    found = _decoded(value) if isinstance(value, str) else value
    if not isinstance(found, list):
        raise Misfit(f"{_shown(value)} is not a list")
    return found


def _decoded(value: JsonValue) -> object:
    try:
        found: object = msgspec.json.decode(str(value))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return found


def _as_number(value: JsonValue) -> JsonValue:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    spelled = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(spelled):
        raise Misfit(f"{_shown(value)} is not a number")
    return float(spelled) if set(spelled) & set(".eE") or len(spelled) > _DIGITS else int(spelled)


def _as_boolean(value: JsonValue) -> JsonValue:
    if isinstance(value, bool):
        return value
    found = _BOOLEANS.get(value) if isinstance(value, str | int | float) else None
    if found is None:
        raise Misfit(f"{_shown(value)} is neither true nor false")
    return found


def _shown(value: JsonValue) -> str:
    return quote(value) if isinstance(value, str) else quote(msgspec.json.encode(value).decode())


_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DIGITS: Final = 20
"""Of the longest text that is worth reading as a whole number: the largest number has 16."""
_BOOLEANS: Final = {"true": True, "false": False, 1: True, 0: False}
_TEXTS: Final = (FieldType.STRING, FieldType.TEXT)
_TABLE: Final[dict[tuple[FieldType, FieldType], tuple[Keeps, Conversion]]] = {
    (FieldType.STRING, FieldType.TEXT): (Keeps.ALL, _same),
    # Some databases keep strings short.
    (FieldType.TEXT, FieldType.STRING): (Keeps.SOME, _same),
    **{(kind, text): (Keeps.ALL, _as_text) for kind in FieldType for text in _TEXTS if kind not in _TEXTS},
    **{(kind, FieldType.JSON): (Keeps.ALL, _same) for kind in FieldType if kind not in (*_TEXTS, FieldType.JSON)},
    **{(text, FieldType.JSON): (Keeps.ALL, _as_json) for text in _TEXTS},
    (FieldType.BOOLEAN, FieldType.NUMBER): (Keeps.ALL, _as_number),
    **{(kind, FieldType.NUMBER): (Keeps.SOME, _as_number) for kind in (*_TEXTS, FieldType.JSON)},
    **{(kind, FieldType.BOOLEAN): (Keeps.SOME, _as_boolean) for kind in (*_TEXTS, FieldType.NUMBER, FieldType.JSON)},
    **{(kind, FieldType.DATE): (Keeps.SOME, _same) for kind in (*_TEXTS, FieldType.JSON)},
    **{(kind, FieldType.ARRAY): (Keeps.SOME, _as_array) for kind in (*_TEXTS, FieldType.JSON)},
}
