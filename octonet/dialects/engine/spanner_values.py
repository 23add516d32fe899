"""Values as Spanner's protocol writes them, and back. The messages are Google's, which have no types here."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from octonet.dialects.engine.grammar import Cell

BOOL, INT64, FLOAT64, STRING, BYTES, ARRAY = 1, 2, 3, 6, 7, 8
"""Codes of types."""
_SPELLED: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}


def bind(request: Any, arguments: Sequence[Cell]) -> None:
    """Give a request its arguments, called ``p1`` and so on. A null has no type of its own."""
    for number, cell in enumerate(arguments, 1):
        name = f"p{number}"
        write(request.params.fields[name], cell)
        if isinstance(cell, list):
            code = next((_code(each) for each in cell if each is not None), 0)
            if code:
                kind = request.param_types[name]
                kind.code = ARRAY
                kind.array_element_type.code = code
        elif cell is not None:
            request.param_types[name].code = _code(cell)


def write(value: Any, cell: Cell) -> None:
    """Set a value of the protocol's."""
    if cell is None:
        value.null_value = 0
    elif isinstance(cell, bool):
        value.bool_value = cell
    elif isinstance(cell, int):
        value.string_value = str(cell)
    elif isinstance(cell, float):
        if math.isfinite(cell):
            value.number_value = cell
        else:
            value.string_value = _SPELLED.get(cell, "NaN")
    elif isinstance(cell, str):
        value.string_value = cell
    elif isinstance(cell, bytes):
        value.string_value = base64.b64encode(cell).decode()
    else:
        # Also where it is empty: a list is one.
        value.list_value.SetInParent()
        for each in cell:
            write(value.list_value.values.add(), each)


def readers(kinds: Sequence[int]) -> Sequence[Callable[[Any], Cell]]:
    """For each column, by the code of its type, how its values are read."""
    return [_READERS.get(kind, _text) for kind in kinds]


def _code(cell: Cell) -> int:
    if isinstance(cell, bool):
        return BOOL
    return _CODES[type(cell)]


def _text(value: Any) -> Cell:
    return None if value.HasField("null_value") else str(value.string_value)


def _truth(value: Any) -> Cell:
    return None if value.HasField("null_value") else bool(value.bool_value)


def _whole(value: Any) -> Cell:
    return None if value.HasField("null_value") else int(value.string_value)


def _fraction(value: Any) -> Cell:
    if value.HasField("null_value"):
        return None
    return float(value.number_value if value.HasField("number_value") else value.string_value)


def _bytes(value: Any) -> Cell:
    return None if value.HasField("null_value") else base64.b64decode(value.string_value)


_CODES: Final[Mapping[type, int]] = {int: INT64, float: FLOAT64, str: STRING, bytes: BYTES}
_READERS: Final[Mapping[int, Callable[[Any], Cell]]] = {BOOL: _truth, INT64: _whole, FLOAT64: _fraction, BYTES: _bytes}
