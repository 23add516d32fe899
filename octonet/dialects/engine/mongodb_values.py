"""Values in documents and back. What BSON cannot hold as it stands is kept as its JSON text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, cast

import msgspec

from octonet.dialects.engine.codec import as_number
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import FieldType

_TEXT: Final = "_json"
"""The only member of what stands for a value that is kept as text."""
_DEEPEST: Final = 40
"""Levels; BSON takes a hundred, and a document adds some of its own."""
_LARGEST: Final = 2**63


def encoded(kind: FieldType, value: JsonValue) -> object:
    """A value of a column as it stands in a document."""
    if value is None or kind not in (FieldType.JSON, FieldType.ARRAY) or _is_plain(value, 0):
        return value
    return {_TEXT: msgspec.json.encode(value).decode()}


def decoded(value: object) -> JsonValue:
    """The same in its wire form."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        # The driver marks long numbers by a type of its own.
        return int(value)
    if isinstance(value, float):
        return as_number(value)
    if isinstance(value, Mapping):
        text: object = value.get(_TEXT) if len(value) == 1 else None
        if isinstance(text, str):
            return cast("JsonValue", msgspec.json.decode(text))
        return {str(name): _nested(member) for name, member in value.items()}
    return _nested(value)


def _nested(value: object) -> JsonValue:
    if isinstance(value, Mapping):
        return {str(name): _nested(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_nested(member) for member in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return cast("JsonValue", value)


def _is_plain(value: JsonValue, depth: int) -> bool:
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        names = all(
            name and name != _TEXT and not name.startswith("$") and not set(name) & {".", "\0"} for name in value
        )
        return names and all(_is_plain(member, depth + 1) for member in value.values())
    if isinstance(value, list):
        return all(_is_plain(member, depth + 1) for member in value)
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -_LARGEST <= value < _LARGEST
    return not isinstance(value, float) or math.isfinite(value)
