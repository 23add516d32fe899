"""Values that a change of schema asks for: defaults for rows that are there, and values turned into another type. What
a value becomes is decided by the kernel, row by row, so that every database comes to the same."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from octonet.dialects.engine.grammar import Cell, Cells, Grammar
from octonet.dialects.engine.lines import Lines
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.obstacles import MOST, place
from octonet.dialects.engine.statement import Binder, compiled
from octonet.dialects.engine.tables import EntityTable
from octonet.dialects.engine.transaction import Writer
from octonet.kernel.conversion import conversion
from octonet.kernel.errors import Fault
from octonet.kernel.faults import quote
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import ID, Field, FieldType
from octonet.kernel.value_types import Misfit

_ROWS = 1000
"""Rows that are read, and written, at once."""
_OLD = "old"
_NEW = "new"


class Refill:
    """Writes them in one open transaction."""

    def __init__(self, writer: Writer, grammar: Grammar) -> None:
        self._writer = writer
        self._grammar = grammar

    async def default(self, entity: EntityTable, field: Field, beside: str) -> None:
        """Give the field's default to the rows that have no value for it, or none in the column beside it."""
        table, binder = self._plain(entity, field, field.type, beside), Binder()
        where = table.c[_NEW if beside else _OLD]
        update = sa.update(table).values({where: binder.next()}).where(where.is_(None))
        statement = compiled(self._grammar, update, binder)
        await self._writer.run(statement.text, statement.arguments([self._encoded(field.type, field.default)]))

    async def convert(self, entity: EntityTable, before: FieldType, after: Field, beside: str) -> list[Fault]:
        """Read a field as it was, and write what its values become into the column beside it. Returns what
        does not convert."""
        turn = conversion(before, after)
        source = self._plain(entity, after, before, beside)
        found: list[Fault] = []
        last = ""
        while len(found) <= MOST and (rows := await self._page(source, last)):
            last = str(rows[-1][0])
            lines: list[list[Cell]] = []
            for id, cell in rows:
                try:
                    lines.append([self._encoded(after.type, turn(self._decoded(before, cell))), str(id)])
                except Misfit as misfit:
                    told = "does not convert" if after.secret else str(misfit.faults[0][1])
                    found.append(Fault(place(entity, after.name), f"the value of row {quote(id)}: {told}"))
            await self._put(source, lines)
        return found[:MOST]

    def _plain(self, entity: EntityTable, field: Field, before: FieldType, beside: str) -> sa.Table:
        """The table, as far as it matters for one field."""
        columns = [(ID, ID, FieldType.STRING), (str(entity.column(field.name).name), _OLD, before)]
        if beside:
            columns.append((beside, _NEW, field.type))
        types = self._grammar.types
        held = [sa.Column(quoted(name), types[kind], key=key) for name, key, kind in columns]
        return sa.Table(entity.table.name, sa.MetaData(), *held)

    async def _page(self, source: sa.Table, last: str) -> list[Cells]:
        binder = Binder()
        after = binder.next()
        select = sa.select(source.c[ID], source.c[_OLD]).where(source.c[ID] > after, source.c[_OLD].is_not(None))
        statement = compiled(self._grammar, select.order_by(source.c[ID]).limit(_ROWS), binder)
        return await self._writer.rows(statement.text, statement.arguments([last]))

    async def _put(self, source: sa.Table, lines: Sequence[Sequence[Cell]]) -> None:
        if lines:
            values = Lines(self._grammar, [source.c[_NEW], source.c[ID]])
            new, key = values.values
            update = sa.update(source).values({source.c[_NEW]: new}).where(source.c[ID] == key)
            statement = compiled(self._grammar, update, values.binder)
            await self._writer.many(statement.text, [statement.arguments(line) for line in lines])

    def _encoded(self, kind: FieldType, value: JsonValue) -> Cell:
        encoder = self._grammar.encoders.get(kind)
        if value is None or encoder is None:
            assert value is None or isinstance(value, str | int | float)
            return value
        return encoder(value)

    def _decoded(self, kind: FieldType, cell: Cell) -> JsonValue:
        decoder = self._grammar.decoders.get(kind)
        if decoder is not None:
            return decoder(cell)
        assert cell is None or isinstance(cell, str | int | float)
        return cell
