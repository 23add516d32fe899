"""The tables of a project, as statements refer to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec
import sqlalchemy as sa

from octonet.kernel.errors import Internal
from octonet.kernel.schema import ID, EntitySchema, FieldType, Relation


class Junction(msgspec.Struct, frozen=True):
    """The table of a many-to-many relation."""

    relation: Relation
    table: sa.Table

    @property
    def owner(self) -> sa.Column[object]:
        """The column with the id of the entity that declares the relation."""
        return self.table.c[self.relation.source_column]

    @property
    def target(self) -> sa.Column[object]:
        """The column with the id that is linked to."""
        return self.table.c[self.relation.target_column]


class EntityTable(msgspec.Struct, frozen=True, dict=True):
    """The table of an entity, and those of its links."""

    schema: EntitySchema
    table: sa.Table
    junctions: Mapping[str, Junction]
    aside: sa.Table | None = None
    """The same table with its id and the columns that no schema names any more, where there are any."""

    @cached_property
    def types(self) -> Mapping[str, FieldType]:
        """The type of each column."""
        return {column.name: column.type for column in self.schema.columns.values()}

    @cached_property
    def indexed(self) -> frozenset[str]:
        """Columns with which an index begins."""
        leading = {str(next(iter(index.columns)).key) for index in self.table.indexes}
        return frozenset(leading | {ID})

    def column(self, name: str) -> sa.Column[object]:
        """A column by name. Raises `Internal` for a name the entity does not have: the doors refuse it earlier."""
        column = self.table.c.get(name)
        if column is None:
            raise Internal(f"{self.schema.name} has no column {name!r}")
        return column


class Model(msgspec.Struct, frozen=True):
    """Every table of a project."""

    entities: Mapping[str, EntityTable]
    checkpoint: sa.Table
    """One row: how far the log is folded."""
    inbox: sa.Table
    """One row for each command that was decided."""
    followed: sa.Table
    """One row: the schema that the tables follow, and what stands in the database beside it."""

    def entity(self, schema: EntitySchema) -> EntityTable:
        """The table of an entity. Raises `Internal` when the database was not opened with it."""
        try:
            return self.entities[schema.name]
        except KeyError:
            raise Internal(f"the database was opened without the entity {schema.name!r}") from None

    @property
    def private(self) -> tuple[sa.Table, ...]:
        """The tables that belong to the fold, not to the schema."""
        return self.checkpoint, self.inbox, self.followed

    @property
    def public(self) -> Iterator[sa.Table]:
        """The tables of the schema: entities, then junctions."""
        yield from (entity.table for entity in self.entities.values())
        yield from (junction.table for entity in self.entities.values() for junction in entity.junctions.values())
