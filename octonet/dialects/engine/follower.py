"""Keeps the tables of one database to a schema, and remembers, in the database itself, which one that is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import sqlalchemy as sa

from octonet.dialects.engine import standing
from octonet.dialects.engine.alteration import Alteration
from octonet.dialects.engine.ddl import Migration
from octonet.dialects.engine.grammar import Cell, Cells, Grammar
from octonet.dialects.engine.inventory import Inventory
from octonet.dialects.engine.links import Reader
from octonet.dialects.engine.standing import Standing
from octonet.dialects.engine.statement import Binder, compiled
from octonet.dialects.engine.tables import Model
from octonet.dialects.engine.transaction import Writer
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Followed, Strategy

_SLOT = 1
"""Key of the only row."""
_COLUMNS = ("digest", "source", "standing")


async def followed(model: Model, grammar: Grammar, reader: Reader, there: Inventory) -> Followed | None:
    """The schema that the tables follow, as far as the database knows."""
    cells = await _noted(model, grammar, reader, there)
    if cells is None:
        return None
    digest, source, stands = map(str, cells)
    return Followed(digest, source, standing.aside(standing.read(stands), model))


async def _noted(model: Model, grammar: Grammar, reader: Reader, there: Inventory) -> Cells | None:
    table = model.followed
    if grammar.fold(table.name) not in there.columns:
        return None
    statement = compiled(grammar, sa.select(*(table.c[name] for name in _COLUMNS)))
    rows = await reader.rows(statement.text, statement.arguments(()))
    return rows[0] if rows else None


class Follower:
    """Works within one open transaction."""

    def __init__(
        self, model: Model, grammar: Grammar, writer: Writer, look: Callable[[], Awaitable[Inventory]]
    ) -> None:
        self._model = model
        self._grammar = grammar
        self._writer = writer
        self._look = look

    async def prepare(self, strategy: Strategy) -> None:
        """All that the strategy asks for but the update of tables. Raises `Conflict`, code SCHEMA_MISMATCH."""
        await self._run((await self._migration()).statements(strategy))

    async def drop(self) -> None:
        """Remove every table."""
        await self._run((await self._migration()).drop())

    async def follow(self, schemas: Schemas, *, drop: bool) -> Model:
        """Make the tables fit the model, and note that they follow its schemas. Returns the model with what stands
        beside it. Raises `Conflict`, code SCHEMA_CONFLICT."""
        alteration = Alteration(self._model, self._grammar, await self._standing(), self._writer, self._look)
        stands = await alteration.run(drop=drop)
        await self._note(schemas, stands)
        return standing.beside(stands, self._model, self._grammar)

    async def note(self, schemas: Schemas) -> None:
        """Note that the tables were made for these schemas."""
        await self._note(schemas, standing.of(self._model, self._grammar))

    async def _migration(self) -> Migration:
        return Migration(self._model, self._grammar, await self._look(), await self._standing())

    async def _standing(self) -> Standing | None:
        cells = await _noted(self._model, self._grammar, self._writer, await self._look())
        return None if cells is None else standing.read(str(cells[2]))

    async def _note(self, schemas: Schemas, stands: Standing) -> None:
        table, binder = self._model.followed, Binder()
        values: dict[sa.Column[object], object] = {table.c[name]: binder.next() for name in _COLUMNS}
        values[table.c["slot"]] = sa.literal(_SLOT)
        cells: list[Cell] = [schemas.digest, schemas.source, standing.write(stands)]
        forget = compiled(self._grammar, sa.delete(table))
        await self._writer.run(forget.text, forget.arguments(()))
        note = compiled(self._grammar, sa.insert(table).values(values), binder)
        await self._writer.run(note.text, note.arguments(cells))

    async def _run(self, statements: Iterable[str]) -> None:
        for text in statements:
            await self._writer.run(text)
