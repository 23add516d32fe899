"""Rows that stand against a change of their table, found before anything refuses them in words of its own."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from octonet.dialects.engine.codec import as_number
from octonet.dialects.engine.grammar import Cells, Expression, Grammar
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.statement import Statement, compiled
from octonet.dialects.engine.tables import EntityTable
from octonet.dialects.engine.transaction import Writer
from octonet.kernel.errors import Conflict, Fault
from octonet.kernel.faults import quote, step
from octonet.kernel.schema import DELETED_AT, ID

CODE = "SCHEMA_CONFLICT"
MOST = 3
"""Rows that are named."""


def refuse(faults: Sequence[Fault]) -> None:
    """Raise `Conflict`, code SCHEMA_CONFLICT, if there are any."""
    if faults:
        listed = "; ".join(f"{fault.path}: {fault.message}" for fault in faults)
        raise Conflict(f"the rows that are there do not fit the schema: {listed}", code=CODE, faults=tuple(faults))


def place(entity: EntityTable, column: str) -> str:
    """The path of whatever declares a column of an entity."""
    schema = entity.schema
    own = step("$", schema.name)
    if column in schema.fields:
        return step(step(own, "fields"), column)
    for relation in schema.references:
        if relation.column == column:
            return step(step(own, "relations"), relation.name)
    return step(own, column)


class Obstacles:
    """Looks for them in one open transaction."""

    def __init__(self, writer: Writer, grammar: Grammar) -> None:
        self._writer = writer
        self._grammar = grammar

    async def without_value(self, entity: EntityTable, column: str, beside: str) -> list[Fault]:
        """Rows that hold null in a column that takes none, or in the one beside it where its values stand by now."""
        held: Expression = sa.column(quoted(beside), entity.column(column).type) if beside else entity.column(column)
        ids = await self._ids(entity, held.is_(None))
        return [Fault(place(entity, column), f"is required, but there {_listed(ids)} without a value")] if ids else []

    async def outside(self, entity: EntityTable, column: str, enum: Sequence[str]) -> list[Fault]:
        """Rows that hold a value which is none of the choices any more."""
        # A null is no value, and differs from none: it passes.
        ids = await self._ids(entity, sa.and_(*(entity.column(column) != choice for choice in enum)))
        return (
            [Fault(place(entity, column), f"takes fewer values, but there {_listed(ids)} with another")] if ids else []
        )

    async def dangling(self, entity: EntityTable, column: str, target: EntityTable) -> list[Fault]:
        """Rows that refer to a row which is not there."""
        key, own = target.table.alias().c[ID], entity.column(column)
        where = own.is_not(None) & ~sa.exists().where(key == own)
        ids = await self._ids(entity, where)
        told = f"leads to {target.schema.name}, but there {_listed(ids)} with an id that no {target.schema.name} has"
        return [Fault(place(entity, column), told)] if ids else []

    async def duplicates(self, entity: EntityTable, index: sa.Index) -> list[Fault]:
        """Values that more than one row has, where a unique index is to be made."""
        columns: list[Expression] = [entity.table.c[str(column.key)] for column in index.columns]
        names = [str(column.key) for column in index.columns]
        select = sa.select(*columns).where(*(column.is_not(None) for column in columns))
        if entity.schema.soft_delete and self._grammar.partial_index_option:
            select = select.where(entity.column(DELETED_AT).is_(None))
        select = select.group_by(*columns).having(sa.func.count() > 1).order_by(*columns).limit(MOST)
        rows = await self._rows(select)
        if not rows:
            return []
        values = "; ".join(self._shown(entity, names, row) for row in rows)
        return [Fault(place(entity, names[0]), f"{' and '.join(names)} must be unique, but rows share {values}")]

    def _shown(self, entity: EntityTable, names: Sequence[str], row: Cells) -> str:
        secret = entity.schema.secrets
        return ", ".join(
            "a secret" if n in secret else quote(as_number(cell)) for n, cell in zip(names, row, strict=True)
        )

    async def _ids(self, entity: EntityTable, where: sa.ColumnElement[bool]) -> list[str]:
        key = entity.table.c[ID]
        return [str(cells[0]) for cells in await self._rows(sa.select(key).where(where).order_by(key).limit(MOST + 1))]

    async def _rows(self, select: sa.Select[*tuple[object, ...]]) -> list[Cells]:
        statement: Statement = compiled(self._grammar, select)
        return await self._writer.rows(statement.text, statement.arguments(()))


def _listed(ids: Sequence[str]) -> str:
    named = ", ".join(quote(id) for id in ids[:MOST])
    return f"is the row {named}" if len(ids) == 1 else f"are the rows {named}{' and others' if len(ids) > MOST else ''}"
