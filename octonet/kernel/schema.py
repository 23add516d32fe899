"""What an entity looks like: the user's schema, checked once (`schema_parse`), then trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property

import msgspec

from octonet.kernel.ids import JsonValue

ID = "id"
VERSION_COLUMN = "_version"
"""The per-entity version as stored; no user field may start with an underscore."""
CREATED_AT = "createdAt"
UPDATED_AT = "updatedAt"
DELETED_AT = "deletedAt"

SECRET_NAMES = frozenset(
    {
        "password",
        "hash",
        "passwordHash",
        "verifyToken",
        "verifyTokenExpiresAt",
        "resetToken",
        "resetTokenExpiresAt",
        "apiKeyHash",
        "secret",
        "privateKey",
    }
)


class FieldType(StrEnum):
    """The seven types a field may have."""

    STRING = "string"
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    JSON = "json"
    ARRAY = "array"


class Embedded(msgspec.Struct, frozen=True):
    """The shape of the objects in an array field."""

    fields: Mapping[str, Field]


class Field(msgspec.Struct, frozen=True):
    """A declared field. `default` is None when there is none; `default_now` means the time of the command."""

    name: str
    type: FieldType
    required: bool = False
    unique: bool = False
    sparse: bool = False
    default: JsonValue = None
    default_now: bool = False
    enum: tuple[str, ...] = ()
    lowercase: bool = False
    trim: bool = False
    array_of: FieldType | Embedded | None = None
    sensitive: bool = False

    @property
    def secret(self) -> bool:
        """Whether the value never leaves in a reply or an event, and travels sealed."""
        return self.sensitive or self.name in SECRET_NAMES


class RelationKind(StrEnum):
    """The four kinds of relation."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


class OnDelete(StrEnum):
    """What happens to a row when the row it refers to is deleted."""

    CASCADE = "cascade"
    SET_NULL = "set-null"
    RESTRICT = "restrict"
    NO_ACTION = "no-action"


class Fetch(StrEnum):
    """Whether findById populates the relation unasked."""

    LAZY = "lazy"
    EAGER = "eager"


class Relation(msgspec.Struct, frozen=True):
    """A declared relation, every default resolved.

    `column` is the foreign-key column on this entity (one-to-one, many-to-one), on the target (one-to-many), and
    empty for many-to-many, where `through` names the junction, `source_column` and `target_column` its two columns.
    """

    name: str
    target: str
    kind: RelationKind
    column: str = ""
    through: str = ""
    source_column: str = ""
    target_column: str = ""
    required: bool = False
    select: tuple[str, ...] = ()
    fetch: Fetch = Fetch.LAZY
    on_delete: OnDelete = OnDelete.SET_NULL

    @property
    def owns_column(self) -> bool:
        """Whether the foreign key is a column of this entity."""
        return self.kind in (RelationKind.ONE_TO_ONE, RelationKind.MANY_TO_ONE)


class Direction(StrEnum):
    """How a column stands in an index."""

    ASC = "asc"
    DESC = "desc"
    TEXT = "text"


class Index(msgspec.Struct, frozen=True):
    """A declared index over columns of the entity."""

    fields: tuple[tuple[str, Direction], ...]
    unique: bool = False
    sparse: bool = False


class Column(msgspec.Struct, frozen=True):
    """A stored column: what a filter, a sort or a select may name."""

    name: str
    type: FieldType
    nullable: bool = True
    unique: bool = False
    secret: bool = False
    references: str = ""
    """Name of the entity this column points at, or empty."""


class EntitySchema(msgspec.Struct, frozen=True, dict=True):
    """One entity, checked. Mappings keep the order of the schema file."""

    name: str
    collection: str
    fields: Mapping[str, Field] = {}
    relations: Mapping[str, Relation] = {}
    indexes: tuple[Index, ...] = ()
    timestamps: bool = False
    soft_delete: bool = False
    discriminator: str = ""
    discriminator_value: str = ""

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Every stored column in order: id, fields, foreign keys, discriminator, timestamps, deletedAt."""
        return {column.name: column for column in self._columns()}

    @cached_property
    def links(self) -> tuple[Relation, ...]:
        """The many-to-many relations whose links are part of this entity's state."""
        return tuple(r for r in self.relations.values() if r.kind is RelationKind.MANY_TO_MANY)

    @cached_property
    def references(self) -> tuple[Relation, ...]:
        """The relations whose foreign key is a column of this entity."""
        return tuple(r for r in self.relations.values() if r.owns_column)

    @cached_property
    def secrets(self) -> frozenset[str]:
        """Names of the columns that never leave in clear."""
        return frozenset(c.name for c in self.columns.values() if c.secret)

    @cached_property
    def unique_columns(self) -> frozenset[str]:
        """Names of the columns that take part in any unique constraint beside the id."""
        single = {c.name for c in self.columns.values() if c.unique}
        composite = {name for index in self.indexes if index.unique for name, _ in index.fields}
        return frozenset(single | composite)

    def _columns(self) -> Iterator[Column]:
        yield Column(ID, FieldType.STRING, nullable=False, unique=True)
        for field in self.fields.values():
            yield Column(field.name, field.type, not field.required, field.unique, field.secret)
        for relation in self.references:
            yield Column(
                relation.column,
                FieldType.STRING,
                nullable=not relation.required,
                unique=relation.kind is RelationKind.ONE_TO_ONE,
                references=relation.target,
            )
        if self.discriminator and self.discriminator not in self.fields:
            yield Column(self.discriminator, FieldType.STRING)
        if self.timestamps:
            yield from (Column(n, FieldType.DATE) for n in (CREATED_AT, UPDATED_AT) if n not in self.fields)
        if self.soft_delete and DELETED_AT not in self.fields:
            yield Column(DELETED_AT, FieldType.DATE)


class Schemas(msgspec.Struct, frozen=True, dict=True):
    """All entities of a project, and the text they were read from."""

    entities: Mapping[str, EntitySchema]
    source: str = "[]"
    """The schema file's JSON, kept for the log's schema record."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the source, in hex."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def find(self, name: str) -> EntitySchema | None:
        """The entity with this name, or with this collection name."""
        return self.entities.get(name) or self._by_collection.get(name)

    @cached_property
    def _by_collection(self) -> Mapping[str, EntitySchema]:
        return {entity.collection: entity for entity in self.entities.values()}

    @cached_property
    def referrers(self) -> Mapping[str, tuple[tuple[EntitySchema, Relation], ...]]:
        """For each entity name, the entities that hold a foreign key to it, with the relation."""
        found: dict[str, list[tuple[EntitySchema, Relation]]] = {name: [] for name in self.entities}
        for entity in self.entities.values():
            for relation in entity.references:
                found[relation.target].append((entity, relation))
        return {name: tuple(pairs) for name, pairs in found.items()}

    @cached_property
    def linkers(self) -> Mapping[str, tuple[tuple[EntitySchema, Relation], ...]]:
        """For each entity name, the entities that link to it many-to-many, with the relation."""
        found: dict[str, list[tuple[EntitySchema, Relation]]] = {name: [] for name in self.entities}
        for entity in self.entities.values():
            for relation in entity.links:
                found[relation.target].append((entity, relation))
        return {name: tuple(pairs) for name, pairs in found.items()}
