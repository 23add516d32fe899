"""The statements of the read side: compiled once for each shape of a query, from then on only looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import sqlalchemy as sa

from octonet.dialects.engine.codec import RowCodec
from octonet.dialects.engine.conditions import Conditions
from octonet.dialects.engine.grammar import Cell, Condition, Grammar, Rows
from octonet.dialects.engine.ordering import ordering
from octonet.dialects.engine.pipeline import Pipeline, pipeline_shape
from octonet.dialects.engine.plan import in_order, runs_short
from octonet.dialects.engine.shape import shape
from octonet.dialects.engine.statement import Binder, Cache, Statement, compiled
from octonet.dialects.engine.tables import EntityTable, Junction, Model
from octonet.kernel.aggregate import Stage
from octonet.kernel.filter import EVERYTHING, Filter, In, Options
from octonet.kernel.ids import BEHIND_UUIDS
from octonet.kernel.schema import DELETED_AT, ID, VERSION_COLUMN, EntitySchema, FieldType, Relation
from octonet.kernel.storage import Page

_CACHED = 1024


class Query(msgspec.Struct, frozen=True):
    """A compiled query: its text, how its rows read, and the links that belong to them."""

    statement: Statement
    codec: RowCodec
    junctions: tuple[Junction, ...] = ()
    short: bool = False
    """Whether a small page of it is found without a scan or a sort."""
    in_order: bool = False
    """Whether a small page of it is found without a sort."""


class Bound(msgspec.Struct, frozen=True):
    """A query with its arguments."""

    query: Query
    arguments: Sequence[Cell]

    @property
    def text(self) -> str:
        """The SQL."""
        return self.query.statement.text


class Queries:
    """Makes the statements over one model in one grammar."""

    def __init__(self, model: Model, grammar: Grammar) -> None:
        self.model = model
        self._grammar = grammar
        self._cache: Cache[Query] = Cache(_CACHED)
        self.most_ids = grammar.most_ids
        self.takes_rows_out = grammar.takes_rows_out
        self._whole = {name: self._build_get(entity, Options()) for name, entity in model.entities.items()}

    def junction(self, schema: EntitySchema, relation: Relation) -> Junction:
        """The table of a many-to-many relation."""
        return self.model.entity(schema).junctions[relation.name]

    def junctions(self, schema: EntitySchema) -> tuple[Junction, ...]:
        """The tables of all many-to-many relations that the entity declares."""
        return tuple(self.model.entity(schema).junctions.values())

    def get(self, schema: EntitySchema, options: Options) -> Query:
        """A row by id, which is the only argument; its version comes last."""
        if not (options.select or options.exclude or options.include_deleted):
            whole = self._whole.get(schema.name)
            if whole is not None:
                return whole
        key = ("get", schema.name, options.select, options.exclude, options.include_deleted)
        return self._cache.get(key, lambda: self._build_get(self.model.entity(schema), options))

    def whole(self, schema: EntitySchema) -> Query:
        """The same with its secrets."""
        return self._cache.get(("whole", schema.name), lambda: self._build_whole(self.model.entity(schema)))

    def several(self, schema: EntitySchema, options: Options, ids: Sequence[str]) -> Bound:
        """The rows that `get` gives for each of these ids, in any order."""
        where = In(ID, tuple(ids))
        values: list[Cell] = []
        wanted = (options.select, options.exclude, options.include_deleted)
        key = ("several", schema.name, *wanted, shape(where, {}, self._grammar, values))
        return self._bound(key, lambda: self._build_get(self.model.entity(schema), options, where), values)

    def version(self, schema: EntitySchema) -> Query:
        """The version of a live row by id, which is the only argument."""
        return self._cache.get(("version", schema.name), lambda: self._build_version(self.model.entity(schema)))

    def select(self, schema: EntitySchema, page: Page) -> Bound:
        """A page of rows."""
        entity, options = self.model.entity(schema), page.options
        values: list[Cell] = []
        key = (
            "select",
            schema.name,
            shape(page.where, entity.types, self._grammar, values),
            options.sort,
            options.select,
            options.exclude,
            options.include_deleted,
            options.versions,
            options.skip > 0,
        )
        values.append(page.limit)
        if options.skip > 0:
            values.append(options.skip)
        return self._bound(key, lambda: self._build_select(entity, page), values)

    def count(self, schema: EntitySchema, where: Filter, include_deleted: bool) -> Bound:
        """The number of rows, alone in one row."""
        entity = self.model.entity(schema)
        values: list[Cell] = []
        key = ("count", schema.name, shape(where, entity.types, self._grammar, values), include_deleted)
        return self._bound(key, lambda: self._build_count(entity, where, include_deleted), values)

    def aggregate(self, schema: EntitySchema, stages: Sequence[Stage], limit: int) -> Bound:
        """The rows of a pipeline."""
        entity = self.model.entity(schema)
        values: list[Cell] = []
        key = ("aggregate", schema.name, pipeline_shape(stages, _visible(entity), self._grammar, values))
        values.append(limit)
        return self._bound(key, lambda: self._build_aggregate(entity, stages), values)

    def match(self, schema: EntitySchema, where: Filter, include_deleted: bool, limit: int | None) -> Bound:
        """Ids in ascending order."""
        entity = self.model.entity(schema)
        values: list[Cell] = []
        limited = limit is not None
        key = ("match", schema.name, shape(where, entity.types, self._grammar, values), include_deleted, limited)
        if limit is not None:
            values.append(limit)
        return self._bound(key, lambda: self._build_match(entity, where, include_deleted, limited), values)

    def fetch(self, schema: EntitySchema, ids: Sequence[str]) -> Bound:
        """Whole rows by id, secrets and version included, deleted ones too; the version comes last."""
        entity = self.model.entity(schema)
        where = In(ID, tuple(ids))
        values: list[Cell] = []
        key = ("fetch", schema.name, shape(where, entity.types, self._grammar, values))
        return self._bound(key, lambda: self._build_fetch(entity, where), values)

    def pairs(self, junction: Junction, owners: Sequence[str]) -> Bound:
        """The (owner, target) links of these owners, ordered by both."""
        where = In(junction.relation.source_column, tuple(owners))
        values: list[Cell] = []
        key = ("pairs", junction.table.name, shape(where, {}, self._grammar, values))
        return self._bound(key, lambda: self._build_pairs(junction, where), values)

    def owners(self, junction: Junction, targets: Sequence[str]) -> Bound:
        """The owners linked to any of these targets."""
        where = In(junction.relation.target_column, tuple(targets))
        values: list[Cell] = []
        key = ("owners", junction.table.name, shape(where, {}, self._grammar, values))
        return self._bound(key, lambda: self._build_owners(junction, where), values)

    def recall(self, commands: Sequence[str]) -> Bound:
        """The (command, entry) lines of the inbox for these commands."""
        where = In("command_id", tuple(commands))
        values: list[Cell] = []
        key = ("recall", shape(where, {}, self._grammar, values))
        return self._bound(key, lambda: self._build_recall(where), values)

    def following(self, schema: EntitySchema, after: str, limit: int) -> Bound:
        """Whole rows as `fetch` gives them, in ascending order of id, those behind this one."""
        query = self._cache.get(("following", schema.name), lambda: self._build_following(self.model.entity(schema)))
        return Bound(query, query.statement.arguments((after, limit)))

    def remembered(self, after: str, limit: int) -> Bound:
        """The (command, entry) lines of the inbox, in ascending order of the command, those behind this one."""
        query = self._cache.get(("remembered",), self._build_remembered)
        return Bound(query, query.statement.arguments((after, limit)))

    def newest(self) -> Query:
        """The highest id of a remembered command that is a UUID, or null."""
        return self._cache.get(("newest",), self._build_newest)

    def checkpoint(self) -> Query:
        """The checkpoint's four values, if there is one."""
        return self._cache.get(("checkpoint",), self._build_checkpoint)

    def _bound(self, key: object, make: Callable[[], Query], values: list[Cell]) -> Bound:
        query = self._cache.get(key, make)
        return Bound(query, query.statement.arguments(values))

    def _build_get(self, entity: EntityTable, options: Options, where: Filter | None = None) -> Query:
        binder = Binder()
        types, junctions = _projection(entity, options)
        asked = (
            entity.column(ID) == binder.next()
            if where is None
            else Conditions(self._grammar, binder, entity.column).condition(where)
        )
        rows = _columns(entity, types).add_columns(entity.column(VERSION_COLUMN))
        rows = rows.where(asked, *_live(entity, options.include_deleted))
        return self._query(rows, binder, types, junctions, short=True)

    def _build_whole(self, entity: EntityTable) -> Query:
        binder = Binder()
        rows = _columns(entity, entity.types).add_columns(entity.column(VERSION_COLUMN))
        rows = rows.where(entity.column(ID) == binder.next(), *_live(entity, False))
        return self._query(rows, binder, entity.types, tuple(entity.junctions.values()), short=True)

    def _build_version(self, entity: EntityTable) -> Query:
        binder = Binder()
        conditions = [entity.column(ID) == binder.next(), *_live(entity, False)]
        return self._query(sa.select(entity.column(VERSION_COLUMN)).where(*conditions), binder, {}, short=True)

    def _build_select(self, entity: EntityTable, page: Page) -> Query:
        binder, options = Binder(), page.options
        types, junctions = _projection(entity, options)
        if options.versions:
            types[VERSION_COLUMN] = FieldType.NUMBER
        rows = (
            _columns(entity, types)
            .where(*self._conditions(entity, binder, page.where, options.include_deleted))
            .order_by(*ordering(self._grammar, options.sort, ID, entity.column))
            .limit(binder.next())
        )
        if options.skip > 0:
            rows = rows.offset(binder.next())
        found = self._query(rows, binder, types, junctions, short=runs_short(entity, page.where, options.sort))
        return msgspec.structs.replace(found, in_order=in_order(entity, options.sort))

    def _build_count(self, entity: EntityTable, where: Filter, include_deleted: bool) -> Query:
        binder = Binder()
        conditions = self._conditions(entity, binder, where, include_deleted)
        return self._query(sa.select(sa.func.count()).select_from(entity.table).where(*conditions), binder, {})

    def _build_aggregate(self, entity: EntityTable, stages: Sequence[Stage]) -> Query:
        binder = Binder()
        types = _visible(entity)
        pipeline = Pipeline(self._grammar, binder, _columns(entity, types).where(*_live(entity, False)), types)
        for stage in stages:
            pipeline.add(stage)
        codec = RowCodec(self._grammar, pipeline.types, pipeline.computed)
        return Query(compiled(self._grammar, pipeline.statement(), binder), codec)

    def _build_match(self, entity: EntityTable, where: Filter, include_deleted: bool, limited: bool) -> Query:
        binder = Binder()
        conditions = self._conditions(entity, binder, where, include_deleted)
        ids = sa.select(entity.column(ID)).where(*conditions)
        ids = ids.order_by(*ordering(self._grammar, (), ID, entity.column))
        return self._query(ids.limit(binder.next()) if limited else ids, binder, {})

    def _build_fetch(self, entity: EntityTable, where: Filter) -> Query:
        binder = Binder()
        rows = _columns(entity, entity.types).add_columns(entity.column(VERSION_COLUMN))
        rows = rows.where(Conditions(self._grammar, binder, entity.column).condition(where))
        return self._query(rows, binder, entity.types, tuple(entity.junctions.values()))

    def _build_following(self, entity: EntityTable) -> Query:
        binder = Binder()
        rows = _columns(entity, entity.types).add_columns(entity.column(VERSION_COLUMN))
        rows = rows.where(entity.column(ID) > binder.next(), *_of_its_kind(entity))
        rows = rows.order_by(*ordering(self._grammar, (), ID, entity.column)).limit(binder.next())
        return self._query(rows, binder, entity.types, tuple(entity.junctions.values()))

    def _build_pairs(self, junction: Junction, where: Filter) -> Query:
        binder = Binder()
        condition = Conditions(self._grammar, binder, junction.table.c.__getitem__).condition(where)
        pairs = sa.select(junction.owner, junction.target).where(condition)
        return self._query(pairs.order_by(junction.owner, junction.target), binder, {})

    def _build_owners(self, junction: Junction, where: Filter) -> Query:
        binder = Binder()
        condition = Conditions(self._grammar, binder, junction.table.c.__getitem__).condition(where)
        return self._query(sa.select(junction.owner).distinct().where(condition).order_by(junction.owner), binder, {})

    def _build_recall(self, where: Filter) -> Query:
        binder, inbox = Binder(), self.model.inbox
        condition = Conditions(self._grammar, binder, inbox.c.__getitem__).condition(where)
        return self._query(sa.select(inbox.c["command_id"], inbox.c["entry"]).where(condition), binder, {})

    def _build_remembered(self) -> Query:
        binder, inbox = Binder(), self.model.inbox
        command = inbox.c["command_id"]
        lines = sa.select(command, inbox.c["entry"]).where(command > binder.next())
        return self._query(lines.order_by(command).limit(binder.next()), binder, {})

    def _build_newest(self) -> Query:
        command = self.model.inbox.c["command_id"]
        newest = sa.select(sa.func.max(command)).where(command < sa.literal(BEHIND_UUIDS, command.type))
        return self._query(newest, Binder(), {})

    def _build_checkpoint(self) -> Query:
        columns = self.model.checkpoint.c
        row = sa.select(columns["entry"], columns["frame"], columns["digest"], columns["schema"])
        return self._query(row, Binder(), {}, short=True)

    def _conditions(self, entity: EntityTable, binder: Binder, where: Filter, include_deleted: bool) -> list[Condition]:
        asked = [] if where == EVERYTHING else [Conditions(self._grammar, binder, entity.column).condition(where)]
        return [*asked, *_live(entity, include_deleted)]

    def _query(
        self,
        rows: Rows,
        binder: Binder,
        types: Mapping[str, FieldType],
        junctions: tuple[Junction, ...] = (),
        *,
        short: bool = False,
    ) -> Query:
        return Query(compiled(self._grammar, rows, binder), RowCodec(self._grammar, types), junctions, short)


def _columns(entity: EntityTable, types: Mapping[str, FieldType]) -> Rows:
    return sa.select(*(entity.column(name) for name in types))


def _visible(entity: EntityTable) -> dict[str, FieldType]:
    secrets = entity.schema.secrets
    return {name: kind for name, kind in entity.types.items() if name not in secrets}


def _projection(entity: EntityTable, options: Options) -> tuple[dict[str, FieldType], tuple[Junction, ...]]:
    select, exclude = frozenset(options.select), frozenset(options.exclude)

    def wanted(name: str) -> bool:
        return name == ID or (name not in exclude and (not select or name in select))

    types = {name: kind for name, kind in _visible(entity).items() if wanted(name)}
    return types, tuple(junction for name, junction in entity.junctions.items() if wanted(name))


def _live(entity: EntityTable, include_deleted: bool) -> list[Condition]:
    schema = entity.schema
    conditions: list[Condition] = []
    if schema.soft_delete and not include_deleted:
        conditions.append(entity.column(DELETED_AT).is_(None))
    return conditions + _of_its_kind(entity)


def _of_its_kind(entity: EntityTable) -> list[Condition]:
    schema = entity.schema
    if schema.discriminator and schema.discriminator_value:
        return [entity.column(schema.discriminator) == schema.discriminator_value]
    return []
