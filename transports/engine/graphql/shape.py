"""What an entity looks like in GraphQL: which fields its type has, and where in a row each finds its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from octonet.kernel.schema import (
    VERSION_COLUMN,
    Column,
    EntitySchema,
    Fetch,
    FieldType,
    Relation,
    RelationKind,
    Schemas,
)

_SCALARS: Final[Mapping[FieldType, str]] = {
    FieldType.STRING: "String",
    FieldType.TEXT: "String",
    FieldType.NUMBER: "Float",
    FieldType.BOOLEAN: "Boolean",
    FieldType.DATE: "DateTime",
    FieldType.JSON: "JSON",
    FieldType.ARRAY: "[JSON]",
}
_TAKEN: Final = frozenset(
    {"Query", "Mutation", "Subscription", "String", "Int", "Float", "Boolean", "ID", "DateTime", "JSON", "BigInt"}
    | {"Version", "Direction", "PageInfo", "Event", "EventKind"}
    | {f"{name}Filter" for name in ("String", "Float", "Boolean", "ID", "DateTime", "Presence")}
)
"""Type names that no entity can have."""


class Leaf(msgspec.Struct, frozen=True):
    """A field that stands in the row."""

    name: str
    column: str
    """The key in the row."""
    type: str
    """As GraphQL spells it, such as ``[ID!]!``."""

    @property
    def required(self) -> bool:
        """Whether null cannot stand here."""
        return self.type.endswith("!")


class Branch(msgspec.Struct, frozen=True):
    """A field that leads to rows of another entity."""

    name: str
    relation: Relation

    @property
    def many(self) -> bool:
        """Whether it leads to a list."""
        return not self.relation.owns_column


class Shape(msgspec.Struct, frozen=True):
    """An entity's type."""

    schema: EntitySchema
    title: str
    """Name of the type; the types that go with it are named after it."""
    leaves: Mapping[str, Leaf]
    branches: Mapping[str, Branch]
    eager: tuple[Relation, ...] = ()
    """The relations that findById populates unasked."""
    width: int = 0
    """How many values a row has, its version aside."""


class Allotment:
    """Gives out names, each once: who comes later gets an underscore behind theirs."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)

    def take(self, wanted: str, *parts: str) -> str:
        """The name, if need be with underscores, so that no `parts` behind it are taken either."""
        while not self._taken.isdisjoint(names := {wanted + part for part in ("", *parts)}):
            wanted += "_"
        self._taken |= names
        return wanted


PARTS: Final = ("Input", "Where", "Order", "Connection", "Edge", "Event")
"""The types that go with an entity's."""


def shapes(schemas: Schemas) -> dict[str, Shape]:
    """The shape of every entity, by its name."""
    names = Allotment(_TAKEN)
    return {schema.name: _shape(schema, names.take(schema.name, *PARTS)) for schema in schemas.entities.values()}


def scalar(column: Column, schema: EntitySchema) -> str:
    """The type of a column's values, null allowed."""
    if column.name == "id" or column.references:
        return "ID"
    field = schema.fields.get(column.name)
    if field is not None and field.type is FieldType.ARRAY and isinstance(field.array_of, FieldType):
        return f"[{_SCALARS[field.array_of] if field.array_of is not FieldType.ARRAY else 'JSON'}]"
    return _SCALARS[column.type]


def _shape(schema: EntitySchema, title: str) -> Shape:
    names = Allotment()
    leaves: dict[str, Leaf] = {}
    branches: dict[str, Branch] = {}
    relations = {relation.name for relation in schema.relations.values()}
    for column in schema.columns.values():
        if not column.secret and column.name not in relations:
            bang = "" if column.nullable else "!"
            name = names.take(column.name)
            leaves[name] = Leaf(name, column.name, scalar(column, schema) + bang)
    width = sum(not column.secret for column in schema.columns.values()) + len(schema.links)
    name = names.take(VERSION_COLUMN)
    leaves[name] = Leaf(name, VERSION_COLUMN, "Int!")
    for relation in schema.relations.values():
        name = names.take(relation.name)
        branches[name] = Branch(name, relation)
    for leaf in _keys(schema, names):
        leaves[leaf.name] = leaf
    eager = tuple(relation for relation in schema.relations.values() if relation.fetch is Fetch.EAGER)
    return Shape(schema, title, leaves, branches, eager, width)


def _keys(schema: EntitySchema, names: Allotment) -> Iterator[Leaf]:
    """The ids that a row holds under the name of a relation: that name stands for the rows themselves here."""
    for relation in schema.relations.values():
        if relation.owns_column and relation.column == relation.name:
            yield Leaf(names.take(f"{relation.name}Id"), relation.column, "ID!" if relation.required else "ID")
        elif relation.kind is RelationKind.MANY_TO_MANY:
            yield Leaf(names.take(f"{relation.name}Ids"), relation.name, "[ID!]!")
