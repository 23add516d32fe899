"""Rows to the driver and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

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
        self._decoders: list[tuple[str, Callable[[Cell], JsonValue]]] = [
            (name, grammar.decoders[kind]) for name, kind in types.items() if kind in grammar.decoders
        ]
        self._decoders += [(name, as_number) for name in computed]

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

    def decode(self, cells: Cells) -> Row:
        """The row of these cells; cells beyond the columns are left to the caller."""
        row: Row = dict(zip(self.names, cast("Sequence[JsonValue]", cells), strict=False))
        for name, decoder in self._decoders:
            value = cast("Cell", row[name])
            if value is not None:
                row[name] = decoder(value)
        return row

    def decode_all(self, rows: Iterable[Cells]) -> list[Row]:
        """The rows of these lines of cells."""
        if self._decoders:
            return [self.decode(cells) for cells in rows]
        names = self.names
        return [dict(zip(names, cells, strict=False)) for cells in cast("Iterable[Sequence[JsonValue]]", rows)]


def as_number(value: Cell) -> JsonValue:
    """A computed number in its wire form: without a fraction where it has none and that is exact."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT:
        return int(value)
    return cast("JsonValue", value)


def first_cells(rows: Sequence[Cells]) -> list[str]:
    """The first column of some rows, which holds ids."""
    return [str(cells[0]) for cells in rows]
