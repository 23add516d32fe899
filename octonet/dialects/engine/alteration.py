"""Makes the tables of a database that holds rows fit another schema. Nothing that rows hold is lost unless the caller
says so: what a schema gives up stays, unused, and comes back with its values when it is named again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import sqlalchemy as sa

from octonet.dialects.engine import obstacles, standing
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.inventory import Inventory, Physical
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.obstacles import Obstacles
from octonet.dialects.engine.refill import Refill
from octonet.dialects.engine.reshape import Reshape, Shape
from octonet.dialects.engine.standing import Standing, StandingColumn, StandingTable
from octonet.dialects.engine.tables import EntityTable, Model
from octonet.dialects.engine.takeover import Takeover
from octonet.dialects.engine.transaction import Writer
from octonet.kernel.conversion import Keeps, keeps
from octonet.kernel.errors import Fault
from octonet.kernel.field_diff import narrowed
from octonet.kernel.schema import Field

_BESIDE = "_octonet_{}"
"""A column for values that are being turned; no field's name begins with an underscore."""


class Alteration:
    """One change of the tables, within one open transaction."""

    def __init__(
        self,
        model: Model,
        grammar: Grammar,
        before: Standing | None,
        writer: Writer,
        look: Callable[[], Awaitable[Inventory]],
    ) -> None:
        self._model = model
        self._grammar = grammar
        self._before = before or Standing()
        self._writer = writer
        self._look = look
        self._reshape = Reshape(grammar)
        self._refill = Refill(writer, grammar)
        self._obstacles = Obstacles(writer, grammar)
        self._faults: list[Fault] = []
        self._moved: Mapping[str, str] = {}
        """Names that tables of entities had, and have now."""

    async def run(self, *, drop: bool) -> Standing:
        """Do it, and return what stands then; with `drop`, without what is not used any more. Raises `Conflict`, code
        SCHEMA_CONFLICT, naming the places that rows stand against."""
        await self._drop_stale_indexes(await self._look())
        takeover = Takeover(self._model, self._grammar, self._before, await self._look(), drop=drop)
        await self._run(takeover.statements())
        self._before, self._moved = takeover.standing, takeover.moved
        there = await self._look()
        await self._create_tables(there)
        for entity in self._model.entities.values():
            if self._has(there, entity.table):
                await self._entity(entity, there, drop=drop)
        obstacles.refuse(self._faults)
        after = standing.of(self._model, self._grammar)
        if drop:
            await self._drop_tables(there, after)
        await self._create_indexes(await self._look())
        return after if drop else standing.kept(self._before, after)

    async def _drop_stale_indexes(self, there: Inventory) -> None:
        wanted = standing.of(self._model, self._grammar).indexes
        for name, text in self._before.indexes.items():
            if wanted.get(name) != text and self._grammar.fold(name) in there.indexes:
                await self._writer.run(self._reshape.drop_index(name, self._table_of(text)))

    def _table_of(self, text: str) -> str:
        """The table that the SQL of an index names; only databases that ask for it when an index is dropped need it."""

        def owns(table: str) -> bool:
            return any(f"{word} {self._quoted(table)} " in text for word in ("ON", "ALTER TABLE"))

        return next((name for name in self._before.tables if owns(name)), "")

    def _quoted(self, name: str) -> str:
        return self._grammar.compiler.identifier_preparer.quote(quoted(name))

    async def _create_tables(self, there: Inventory) -> None:
        await self._run(self._reshape.create(t) for t in self._model.public if not self._has(there, t))

    async def _drop_tables(self, there: Inventory, after: Standing) -> None:
        gone = [name for name in self._before.tables if name not in after.tables]
        links_first = sorted(gone, key=lambda name: not self._before.tables[name].target)
        await self._run(self._reshape.drop(n) for n in links_first if self._grammar.fold(n) in there.columns)

    async def _create_indexes(self, there: Inventory) -> None:
        missing = [
            (entity, index)
            for entity, table in self._owned_tables()
            for index in sorted(table.indexes, key=lambda index: str(index.name))
            if self._grammar.fold(str(index.name)) not in there.indexes
        ]
        for entity, index in missing:
            if index.unique:
                self._faults += await self._obstacles.duplicates(entity, index)
        obstacles.refuse(self._faults)
        await self._run(standing.created(index, self._grammar) for _, index in missing)

    def _owned_tables(self) -> Iterable[tuple[EntityTable, sa.Table]]:
        for entity in self._model.entities.values():
            yield entity, entity.table
            yield from ((entity, junction.table) for junction in entity.junctions.values())

    async def _entity(self, entity: EntityTable, there: Inventory, *, drop: bool) -> None:
        """A table that was there before."""
        fold = self._grammar.fold
        present = there.columns[fold(entity.table.name)]
        known = self._before.tables.get(str(entity.table.name), StandingTable(entity.schema.name)).columns
        added = [column for column in entity.table.columns if fold(column.name) not in present]
        await self._run(self._reshape.add(entity.table.name, column) for column in added)
        found = len(self._faults)
        turned = await self._turn(entity, known, drop=drop)
        await self._fill(entity, known, {str(column.key) for column in added}, turned)
        required = await self._required(entity, known, present, turned)
        await self._check(entity, known, turned)
        if len(self._faults) == found:
            shape = self._shape(entity, present, turned, required, known if drop else {})
            await self._run(self._reshape.statements(entity.table, shape))

    async def _turn(self, entity: EntityTable, known: Mapping[str, StandingColumn], *, drop: bool) -> dict[str, str]:
        """Columns of another type than before, each with the column beside it that holds its values by now."""
        turned: dict[str, str] = {}
        for column in entity.schema.columns.values():
            name = str(entity.column(column.name).name)
            old = known.get(name)
            if old is None or old.type is column.type:
                continue
            turned[name] = beside = _BESIDE.format(len(turned))
            await self._run([self._reshape.add(entity.table.name, entity.column(column.name), beside)])
            if not (drop and keeps(old.type, column.type) is Keeps.NONE):
                field = entity.schema.fields.get(column.name) or Field(column.name, column.type)
                self._faults += await self._refill.convert(entity, old.type, field, beside)
        return turned

    async def _fill(
        self, entity: EntityTable, known: Mapping[str, StandingColumn], added: set[str], turned: Mapping[str, str]
    ) -> None:
        """Defaults, where a field is new, or must have a value from now on."""
        for field in entity.schema.fields.values():
            name = str(entity.column(field.name).name)
            needed = field.name in added or (field.required and name in known and not known[name].required)
            if needed and field.default is not None:
                await self._refill.default(entity, field, turned.get(name, ""))

    async def _required(
        self,
        entity: EntityTable,
        known: Mapping[str, StandingColumn],
        present: Mapping[str, Physical],
        turned: Mapping[str, str],
    ) -> list[str]:
        """Columns that take nulls and must no longer."""
        found: list[str] = []
        for column in entity.table.columns:
            name = str(column.name)
            there = present.get(self._grammar.fold(name))
            takes_null = there is None or not there.required or name in turned
            if column.nullable or column.server_default is not None or not takes_null:
                continue
            # It was required before, yet takes nulls: whoever made it so knew why.
            if there is not None and name not in turned and (name not in known or known[name].required):
                continue
            self._faults += await self._obstacles.without_value(entity, str(column.key), turned.get(name, ""))
            found.append(name)
        return found

    async def _check(self, entity: EntityTable, known: Mapping[str, StandingColumn], turned: Mapping[str, str]) -> None:
        """What the database itself does not look after."""
        for column in entity.schema.columns.values():
            name = str(entity.column(column.name).name)
            old = known.get(name)
            if old is None or name in turned:
                continue
            field = entity.schema.fields.get(column.name)
            if field is not None and narrowed(old.enum, field.enum):
                self._faults += await self._obstacles.outside(entity, column.name, field.enum)
            if column.references:
                target = self._model.entities[column.references]
                if self._moved.get(old.references, old.references) != target.table.name:
                    self._faults += await self._obstacles.dangling(entity, column.name, target)

    def _shape(
        self,
        entity: EntityTable,
        present: Mapping[str, Physical],
        turned: Mapping[str, str],
        required: Sequence[str],
        droppable: Mapping[str, StandingColumn],
    ) -> Shape:
        fold = self._grammar.fold
        wanted = {fold(column.name): column for column in entity.table.columns}
        unused = [physical for name, physical in present.items() if name not in wanted]
        dropped = [physical.name for physical in unused if physical.name in droppable]
        nullable = [
            physical
            for name, physical in present.items()
            if physical.required and physical.name not in dropped and physical.name not in turned
            and (name not in wanted or wanted[name].nullable)
        ]  # fmt: skip
        return Shape(turned, nullable, required, dropped, [p for p in unused if p.name not in dropped])

    async def _run(self, statements: Iterable[str]) -> None:
        for text in statements:
            await self._writer.run(text)

    def _has(self, there: Inventory, table: sa.Table) -> bool:
        return self._grammar.fold(table.name) in there.columns
