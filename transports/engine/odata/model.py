"""The entities of a project as OData's types: made once for each version of its schemas."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final

import msgspec

from octonet.kernel.errors import NotFound
from octonet.kernel.schema import ID, Embedded, EntitySchema, Field, FieldType, Relation, RelationKind, Schemas

NAMESPACE: Final = "MostaJS"
CONTAINER: Final = "Default"
EDM: Final[Mapping[FieldType, str]] = {
    FieldType.STRING: "Edm.String",
    FieldType.TEXT: "Edm.String",
    FieldType.NUMBER: "Edm.Double",
    FieldType.BOOLEAN: "Edm.Boolean",
    FieldType.DATE: "Edm.DateTimeOffset",
    FieldType.JSON: "Edm.Untyped",
    FieldType.ARRAY: "Collection(Edm.Untyped)",
}
_KEPT: Final = "odata.model"


class Property(msgspec.Struct, frozen=True):
    """A structural property. A relation and the ids that it holds have one name in a row; here the ids stand beside it
    under a name of their own: ``mentor_id``, ``tags_ids``."""

    name: str
    column: str
    """Where a row holds it: a column, or a many-to-many relation."""
    edm: str
    """Type, as in CSDL: ``Edm.String``, ``Collection(MostaJS.Author_keywords)``."""
    type: FieldType
    nullable: bool = True
    secret: bool = False
    """It can be written, not read."""
    managed: bool = False
    """The server gives it a value; a client may."""
    link: bool = False
    """Ids of a many-to-many relation: no column to filter by."""

    @property
    def collection(self) -> bool:
        """Whether it has any number of values."""
        return self.edm.startswith("Collection(")


class Navigation(msgspec.Struct, frozen=True):
    """A navigation property: a relation."""

    relation: Relation
    holder: str
    """The property that holds the ids; empty where the target's rows hold them."""
    partner: str = ""
    """The navigation property that leads back, where there is one."""

    @property
    def name(self) -> str:
        """Its own name."""
        return self.relation.name

    @property
    def collection(self) -> bool:
        """Whether it leads to any number of rows."""
        return not self.relation.owns_column


class Complex(msgspec.Struct, frozen=True):
    """The type of the objects in an array field."""

    name: str
    fields: Mapping[str, tuple[str, bool]]
    """Name → type, and whether it may be null."""


class Entity(msgspec.Struct, frozen=True, dict=True):
    """An entity type and its set."""

    schema: EntitySchema
    properties: Mapping[str, Property]
    navigations: Mapping[str, Navigation]
    complexes: tuple[Complex, ...]

    @cached_property
    def set(self) -> str:
        """The name of its set."""
        return self.schema.collection.replace("-", "_")

    @cached_property
    def type(self) -> str:
        """The qualified name of its type."""
        return f"{NAMESPACE}.{self.schema.name}"

    @cached_property
    def shown(self) -> tuple[Property, ...]:
        """The properties that can be read."""
        return tuple(found for found in self.properties.values() if not found.secret)

    @cached_property
    def by_column(self) -> Mapping[str, Property]:
        """The properties by where rows hold them."""
        return {found.column: found for found in self.properties.values()}


class Model(msgspec.Struct, frozen=True, dict=True):
    """All of a project."""

    schemas: Schemas
    entities: Mapping[str, Entity]

    @cached_property
    def _sets(self) -> Mapping[str, Entity]:
        return {entity.set: entity for entity in self.entities.values()}

    def find(self, name: str) -> Entity | None:
        """The entity of this set, of this collection, or of this name."""
        found = self._sets.get(name)
        if found is None:
            schema = self.schemas.find(name)
            found = self.entities.get(schema.name) if schema is not None else None
        return found

    def set(self, name: str) -> Entity:
        """The same; raises `NotFound`, code ENTITY_NOT_FOUND."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"there is no entity set {name!r}", code="ENTITY_NOT_FOUND")
        return found

    def target(self, navigation: Navigation) -> Entity:
        """What a navigation property leads to."""
        return self.entities[navigation.relation.target]


def of(schemas: Schemas) -> Model:
    """The model of these schemas."""
    kept = schemas.__dict__.get(_KEPT)
    if isinstance(kept, Model):
        return kept
    made = schemas.__dict__[_KEPT] = Model(schemas, {name: _entity(schemas, s) for name, s in schemas.entities.items()})
    return made


def _entity(schemas: Schemas, schema: EntitySchema) -> Entity:
    complexes: list[Complex] = []
    properties: dict[str, Property] = {}
    taken = {*schema.columns, *schema.relations}
    for column in schema.columns.values():
        name = column.name
        field = schema.fields.get(name)
        if name in schema.relations:
            name = _free(f"{name}_id", taken)
        edm = EDM[column.type] if field is None else _type_of(schema, field, complexes)
        managed = column.name != ID and field is None and not column.references
        properties[name] = Property(name, column.name, edm, column.type, column.nullable, column.secret, managed)
    for link in schema.links:
        name = _free(f"{link.name}_ids", taken)
        properties[name] = Property(name, link.name, "Collection(Edm.String)", FieldType.ARRAY, link=True)
    holders = {found.column: name for name, found in properties.items()}
    navigations = {
        relation.name: Navigation(relation, _holder(relation, holders), _partner(schemas, schema, relation))
        for relation in schema.relations.values()
    }
    return Entity(schema, properties, navigations, tuple(complexes))


def _holder(relation: Relation, holders: Mapping[str, str]) -> str:
    if relation.owns_column:
        return holders[relation.column]
    return holders[relation.name] if relation.kind is RelationKind.MANY_TO_MANY else ""


def _partner(schemas: Schemas, schema: EntitySchema, relation: Relation) -> str:
    """The one relation of the target that says the same from the other end."""
    target = schemas.entities[relation.target]
    if relation.owns_column:
        back = [
            r.name
            for r in target.relations.values()
            if r.kind is RelationKind.ONE_TO_MANY and r.target == schema.name and r.column == relation.column
        ]
    elif relation.kind is RelationKind.ONE_TO_MANY:
        back = [r.name for r in target.references if r.target == schema.name and r.column == relation.column]
    else:
        back = []
    return back[0] if len(back) == 1 else ""


def _type_of(schema: EntitySchema, field: Field, complexes: list[Complex]) -> str:
    if field.type is not FieldType.ARRAY:
        return EDM[field.type]
    if isinstance(field.array_of, Embedded):
        name = f"{schema.name}_{field.name}"
        inner: dict[str, tuple[str, bool]] = {}
        for member in field.array_of.fields.values():
            inner[member.name] = _embedded_type(member), not member.required
        complexes.append(Complex(name, inner))
        return f"Collection({NAMESPACE}.{name})"
    if field.array_of is None or field.array_of is FieldType.ARRAY:
        return EDM[FieldType.ARRAY]
    return f"Collection({EDM[field.array_of]})"


def _embedded_type(member: Field) -> str:
    if member.type is FieldType.ARRAY and isinstance(member.array_of, FieldType):
        return f"Collection({EDM[member.array_of]})" if member.array_of is not FieldType.ARRAY else EDM[FieldType.ARRAY]
    return EDM[member.type]


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
