"""Rows to the driver and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import msgspec

from octonet.dialects.engine.grammar import Cell, Cells, Grammar
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import FieldType

_LARGEST_EXACT = 2**53


class RowCodec:
    """Writes and reads some columns of one table, in a fixed order."""

    def __init__(
        self, grammar: Grammar, types: Mapping[str, FieldType], computed: frozenset[str] = frozenset()
    ) -> None:
        self.names = tuple(types)
        self._encoders = tuple(grammar.encoders.get(kind) for kind in types.values())
        self._plain = not any(self._encoders)
        decoders = {name: grammar.decoders[kind] for name, kind in types.items() if kind in grammar.decoders}
        self.decode = _reader(self.names, decoders | dict.fromkeys(computed, as_number))
        """The row of a line of cells; cells beyond the columns are left to the caller."""

    def encode(self, state: Row) -> list[Cell]:
        """The cells of a row; a column the row does not know is null, so that facts older than it can be folded."""
        get = cast("Mapping[str, Cell]", state).get
        if self._plain:
            return [get(name) for name in self.names]
        cells: list[Cell] = []
        for name, encoder in zip(self.names, self._encoders, strict=True):
            value = get(name)
            cells.append(value if encoder is None or value is None else encoder(cast("JsonValue", value)))
        return cells

    def decode_all(self, rows: Iterable[Cells]) -> list[Row]:
        """The rows of these lines of cells."""
        decode = self.decode
        return [decode(cells) for cells in rows]


def _reader(names: Sequence[str], decoders: Mapping[str, Callable[[Cell], JsonValue]]) -> Callable[[Cells], Row]:
    """A function written for just these columns: a literal with every name in its place is built twice as fast as a
    row assembled in a loop, and every row that is read goes through here. Names stand in it as quoted literals."""
    members = ", ".join(
        f"{name!r}: None if c[{i}] is None else d[{name!r}](c[{i}])" if name in decoders else f"{name!r}: c[{i}]"
        for i, name in enumerate(names)
    )
    return cast("Callable[[Cells], Row]", eval(f"lambda c: {{{members}}}", {"d": decoders}))


def as_number(value: Cell) -> JsonValue:
    """A computed number in its wire form: without a fraction where it has none and that is exact."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT:
        return int(value)
    return cast("JsonValue", value)


def to_json(value: object) -> Cell:
    """JSON as its text."""
    return msgspec.json.encode(value).decode()


def from_json(cell: Cell) -> JsonValue:
    """What the text of JSON says."""
    return cast("JsonValue", msgspec.json.decode(str(cell)))


JSON_AS_TEXT: Final[Mapping[FieldType, Callable[[JsonValue], Cell]]] = {
    FieldType.JSON: to_json, FieldType.ARRAY: to_json
}  # fmt: skip
JSON_FROM_TEXT: Final[Mapping[FieldType, Callable[[Cell], JsonValue]]] = {
    FieldType.JSON: from_json, FieldType.ARRAY: from_json
}  # fmt: skip


def first_cells(rows: Sequence[Cells]) -> list[str]:
    """The first column of some rows, which holds ids."""
    return [str(cells[0]) for cells in rows]
