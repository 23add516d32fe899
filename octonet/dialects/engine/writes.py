"""The statements of the write side: whole rows in, by id and version."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from octonet.dialects.engine.codec import RowCodec
from octonet.dialects.engine.conditions import Conditions
from octonet.dialects.engine.grammar import Cell, Grammar
from octonet.dialects.engine.lines import Lines
from octonet.dialects.engine.shape import shape
from octonet.dialects.engine.statement import Binder, Cache, Statement, compiled
from octonet.dialects.engine.tables import EntityTable, Junction, Model
from octonet.kernel.filter import In
from octonet.kernel.schema import ID, VERSION_COLUMN, EntitySchema

_CACHED = 512
_SLOT = 1
"""Key of the checkpoint's only row."""


class Writes:
    """Makes the statements over one model in one grammar."""

    def __init__(self, model: Model, grammar: Grammar) -> None:
        self._model = model
        self._grammar = grammar
        self._cache: Cache[Statement] = Cache(_CACHED)
        self._codecs = {name: RowCodec(grammar, entity.types) for name, entity in model.entities.items()}

    def codec(self, schema: EntitySchema) -> RowCodec:
        """Writes every column of the entity, the id first."""
        return self._codecs[self._model.entity(schema).schema.name]

    def insert(self, schema: EntitySchema) -> Statement:
        """Takes every column in order, then the version."""
        entity = self._model.entity(schema)
        columns = [*entity.types, VERSION_COLUMN]
        return self._cache.get(("insert", schema.name), lambda: self._insert(entity.table, columns))

    def update(self, schema: EntitySchema) -> Statement:
        """Takes every column but the id in order, the new version, the id, the version it must have."""
        return self._cache.get(("update", schema.name), lambda: self._update(self._model.entity(schema)))

    def take_out(self, schema: EntitySchema) -> Statement:
        """Removes one row; takes its id and the version it must have."""
        return self._cache.get(("take out", schema.name), lambda: self._take_out(self._model.entity(schema)))

    def aside(self, schema: EntitySchema, ids: Sequence[str]) -> tuple[Statement, Sequence[Cell]] | None:
        """Reads what rows hold in columns that no schema names any more, the id last; None where there are none."""
        table = self._model.entity(schema).aside
        if table is None:
            return None
        where = In(ID, tuple(ids))
        values: list[Cell] = []
        key = ("aside", schema.name, shape(where, {}, self._grammar, values))

        def build() -> Statement:
            binder = Binder()
            condition = Conditions(self._grammar, binder, table.c.__getitem__).condition(where)
            unused = [column for column in table.columns if column.name != ID]
            return compiled(self._grammar, sa.select(*unused, table.c[ID]).where(condition), binder)

        statement = self._cache.get(key, build)
        return statement, statement.arguments(values)

    def put_aside(self, schema: EntitySchema) -> Statement:
        """Takes what `aside` reads."""
        return self._cache.get(("put aside", schema.name), lambda: self._put_aside(self._model.entity(schema)))

    def delete(self, schema: EntitySchema, ids: Sequence[str]) -> tuple[Statement, Sequence[Cell]]:
        """Removes rows by id."""
        return self._delete(self._model.entity(schema).table, ID, ids)

    def link(self, junction: Junction) -> Statement:
        """Takes owner and target."""
        relation = junction.relation
        columns = [relation.source_column, relation.target_column]
        return self._cache.get(("link", junction.table.name), lambda: self._insert(junction.table, columns))

    def unlink(self, junction: Junction) -> Statement:
        """Takes owner and target."""
        return self._cache.get(("unlink", junction.table.name), lambda: self._unlink(junction))

    def unlink_all(self, junction: Junction, owners: Sequence[str]) -> tuple[Statement, Sequence[Cell]]:
        """Removes every link of these owners."""
        return self._delete(junction.table, junction.relation.source_column, owners)

    def remember(self) -> Statement:
        """Takes command id and log entry."""
        return self._cache.get(("remember",), lambda: self._insert(self._model.inbox, ["command_id", "entry"]))

    def move_checkpoint(self) -> Statement:
        """Takes entry, frame, digest, schema; touches no row when there is no checkpoint yet."""
        return self._cache.get(("move",), self._move_checkpoint)

    def first_checkpoint(self) -> Statement:
        """Takes entry, frame, digest, schema."""
        return self._cache.get(("first",), self._first_checkpoint)

    def _insert(self, table: sa.Table, names: Sequence[str]) -> Statement:
        columns = [table.c[name] for name in names]
        lines = Lines(self._grammar, columns)
        return compiled(self._grammar, lines.into(table, columns), lines.binder)

    def _update(self, entity: EntityTable) -> Statement:
        table = entity.table
        changed = [table.c[name] for name in (*entity.types, VERSION_COLUMN) if name != ID]
        key, version = table.c[ID], table.c[VERSION_COLUMN]
        lines = Lines(self._grammar, [*changed, key, version])
        *values, id, before = lines.values
        update = sa.update(table).values(dict(zip(changed, values, strict=True)))
        return compiled(self._grammar, update.where(key == id, version == before), lines.binder)

    def _put_aside(self, entity: EntityTable) -> Statement:
        table = entity.aside
        assert table is not None
        unused = [column for column in table.columns if column.name != ID]
        lines = Lines(self._grammar, [*unused, table.c[ID]])
        *values, id = lines.values
        update = sa.update(table).values(dict(zip(unused, values, strict=True))).where(table.c[ID] == id)
        return compiled(self._grammar, update, lines.binder)

    def _take_out(self, entity: EntityTable) -> Statement:
        table = entity.table
        return self._remove(table, [table.c[ID], table.c[VERSION_COLUMN]])

    def _unlink(self, junction: Junction) -> Statement:
        return self._remove(junction.table, [junction.owner, junction.target])

    def _remove(self, table: sa.Table, columns: Sequence[sa.Column[object]]) -> Statement:
        lines = Lines(self._grammar, columns)
        conditions = [column == value for column, value in zip(columns, lines.values, strict=True)]
        return compiled(self._grammar, sa.delete(table).where(*conditions), lines.binder)

    def _delete(self, table: sa.Table, column: str, ids: Sequence[str]) -> tuple[Statement, Sequence[Cell]]:
        where = In(column, tuple(ids))
        values: list[Cell] = []
        key = ("delete", table.name, shape(where, {}, self._grammar, values))

        def build() -> Statement:
            binder = Binder()
            condition = Conditions(self._grammar, binder, table.c.__getitem__).condition(where)
            return compiled(self._grammar, sa.delete(table).where(condition), binder)

        statement = self._cache.get(key, build)
        return statement, statement.arguments(values)

    def _move_checkpoint(self) -> Statement:
        binder, table = Binder(), self._model.checkpoint
        update = sa.update(table).values({table.c[name]: binder.next() for name in _CHECKPOINT})
        return compiled(self._grammar, update, binder)

    def _first_checkpoint(self) -> Statement:
        binder, table = Binder(), self._model.checkpoint
        values: dict[sa.Column[object], object] = {table.c[name]: binder.next() for name in _CHECKPOINT}
        return compiled(self._grammar, sa.insert(table).values({**values, table.c["slot"]: sa.literal(_SLOT)}), binder)


_CHECKPOINT = ("entry", "frame", "digest", "schema")
