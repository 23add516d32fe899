"""Builds the tables of a project: schemas in, SQLAlchemy metadata out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.names import Names, quoted
from octonet.dialects.engine.tables import EntityTable, Junction, Model
from octonet.kernel.schema import (
    DELETED_AT,
    ID,
    VERSION_COLUMN,
    Direction,
    EntitySchema,
    FieldType,
    OnDelete,
    Relation,
    Schemas,
)

CHECKPOINT = "octonet_checkpoint"
INBOX = "octonet_inbox"
FOLLOWED = "octonet_schema"

_ON_DELETE = {
    OnDelete.CASCADE: "CASCADE",
    OnDelete.SET_NULL: "SET NULL",
    OnDelete.RESTRICT: "RESTRICT",
    OnDelete.NO_ACTION: None,
}


def build(schemas: Schemas, grammar: Grammar, prefix: str = "") -> Model:
    """The tables of these schemas. Raises `Invalid` when two tables or indexes would share a name."""
    builder = _Builder(grammar, prefix)
    checkpoint, inbox, followed = builder.checkpoint(), builder.inbox(), builder.followed()
    tables = {schema.name: builder.entity(schema) for schema in schemas.entities.values()}
    entities: dict[str, EntityTable] = {}
    for schema in schemas.entities.values():
        junctions = {relation.name: builder.junction(schema, relation, tables) for relation in schema.links}
        entities[schema.name] = EntityTable(schema, tables[schema.name], junctions)
        builder.references(schema, tables)
        builder.unique_indexes(schema, tables[schema.name])
        builder.declared_indexes(schema, tables[schema.name])
        builder.reference_indexes(schema, tables[schema.name])
    return Model(entities, checkpoint, inbox, followed)


class _Builder:
    def __init__(self, grammar: Grammar, prefix: str) -> None:
        self._grammar = grammar
        self._names = Names(grammar, prefix)
        self._metadata = sa.MetaData()
        self._id = grammar.key or grammar.types[FieldType.STRING]

    def checkpoint(self) -> sa.Table:
        return sa.Table(
            self._names.table(CHECKPOINT, "Octonet's checkpoint"),
            self._metadata,
            sa.Column(quoted("slot"), sa.Integer, primary_key=True, autoincrement=False),
            sa.Column(quoted("entry"), sa.BigInteger, nullable=False),
            sa.Column(quoted("frame"), sa.BigInteger, nullable=False),
            sa.Column(quoted("digest"), sa.LargeBinary(64), nullable=False),
            sa.Column(quoted("schema"), sa.String(128), nullable=False),
        )

    def inbox(self) -> sa.Table:
        return sa.Table(
            self._names.table(INBOX, "Octonet's inbox"),
            self._metadata,
            sa.Column(quoted("command_id"), self._id, primary_key=True, nullable=False),
            sa.Column(quoted("entry"), sa.BigInteger, nullable=False),
            **self._grammar.keyed_table_options,
        )

    def followed(self) -> sa.Table:
        text = self._grammar.kept or self._grammar.types[FieldType.TEXT]
        return sa.Table(
            self._names.table(FOLLOWED, "Octonet's schema"),
            self._metadata,
            sa.Column(quoted("slot"), sa.Integer, primary_key=True, autoincrement=False),
            sa.Column(quoted("digest"), sa.String(128), nullable=False),
            sa.Column(quoted("source"), text, nullable=False),
            sa.Column(quoted("standing"), text, nullable=False),
        )

    def entity(self, schema: EntitySchema) -> sa.Table:
        columns: list[sa.Column[object]] = [
            sa.Column(
                self._names.column(column.name),
                self._id if column.name == ID else self._grammar.types[column.type],
                primary_key=column.name == ID,
                nullable=column.nullable,
                key=column.name,
            )
            for column in schema.columns.values()
        ]
        return sa.Table(
            self._names.table(schema.collection, f"the collection of {schema.name}"),
            self._metadata,
            *columns,
            sa.Column(quoted(VERSION_COLUMN), sa.Integer, nullable=False, server_default=sa.text("0")),
            **self._grammar.table_options,
        )

    def junction(self, schema: EntitySchema, relation: Relation, tables: Mapping[str, sa.Table]) -> Junction:
        ends = ((relation.source_column, schema.name), (relation.target_column, relation.target))
        columns: list[sa.Column[object]] = [
            sa.Column(
                self._names.column(name),
                self._id,
                *(
                    [sa.ForeignKey(tables[entity].c[ID], ondelete="CASCADE")]
                    if self._grammar.declares_references
                    else []
                ),
                primary_key=True,
                nullable=False,
                key=name,
            )
            for name, entity in ends
        ]
        table = sa.Table(
            self._names.table(relation.through, f"the junction of {schema.name}.{relation.name}"),
            self._metadata,
            *columns,
            **self._grammar.keyed_table_options,
        )
        self._index(f"idx_{relation.through}_{relation.target_column}", [columns[1]])
        return Junction(relation, table)

    def references(self, schema: EntitySchema, tables: Mapping[str, sa.Table]) -> None:
        table = tables[schema.name]
        for relation in schema.references if self._grammar.declares_references else ():
            table.append_constraint(
                sa.ForeignKeyConstraint(
                    [table.c[relation.column]],
                    [tables[relation.target].c[ID]],
                    ondelete=_ON_DELETE[relation.on_delete],
                )
            )

    def unique_indexes(self, schema: EntitySchema, table: sa.Table) -> None:
        suffix = "_softdelete" if schema.soft_delete else ""
        for column in schema.columns.values():
            if column.unique and column.name != ID:
                self._unique_index(
                    f"uidx_{schema.collection}_{column.name}{suffix}", schema, [self._term(table.c[column.name], False)]
                )

    def declared_indexes(self, schema: EntitySchema, table: sa.Table) -> None:
        for number, index in enumerate(schema.indexes):
            name = f"idx_{schema.collection}_{number}"
            terms: list[sa.ColumnElement[object]] = [
                self._term(table.c[column], direction is Direction.DESC)
                for column, direction in index.fields
                if direction is not Direction.TEXT
            ]
            if not terms:
                continue
            if index.unique:
                self._unique_index(name, schema, terms)
            else:
                self._index(name, terms)

    def reference_indexes(self, schema: EntitySchema, table: sa.Table) -> None:
        leading = {str(next(iter(index.columns)).key) for index in table.indexes}
        for relation in schema.references:
            if relation.column not in leading:
                self._index(
                    f"idx_{schema.collection}_{relation.column}_ref", [self._term(table.c[relation.column], False)]
                )

    def _term(self, column: sa.Column[object], descending: bool) -> sa.ColumnElement[object]:
        """A term of an index in the very order that queries ask for, or they could not read along it."""
        if self._grammar.nulls_first or column.primary_key:
            return column.desc() if descending else column
        return column.desc().nulls_last() if descending else column.asc().nulls_first()

    def _index(self, name: str, terms: Sequence[sa.ColumnElement[object]]) -> None:
        sa.Index(self._names.index(name), *terms)

    def _unique_index(self, name: str, schema: EntitySchema, terms: Sequence[sa.ColumnElement[object]]) -> None:
        option = self._grammar.partial_index_option
        if schema.soft_delete and option:
            deleted_at: sa.Column[object] = sa.Column(quoted(DELETED_AT))
            condition: Mapping[str, Any] = {option: deleted_at.is_(None)}
            sa.Index(self._names.index(name), *terms, unique=True, **condition)
        else:
            sa.Index(self._names.index(name), *terms, unique=True)
