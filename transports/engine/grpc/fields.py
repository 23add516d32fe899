"""What the messages of an entity hold, before any protobuf: each part of a row, its kind, its name and its number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from octonet.kernel.schema import ID, Embedded, EntitySchema, Field, FieldType, Schemas
from transports.engine.grpc.numbers import Numbering, Slot, numbered

FIRST: Final = 11
"""The number of the first field of an entity: those below are kept for what every row has."""
RELATED, VERSION = "related", "version"
SYSTEM: Final[Mapping[str, int]] = {ID: 1, RELATED: 2, VERSION: 3}
"""What every row has, and its numbers."""
FIRST_OF_MOSTAJS: Final = 2

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")


class Kind(StrEnum):
    """How a value travels: the name of its type in a .proto file, but for `JSON` and `IDS`."""

    TEXT = "string"
    NUMBER = "double"
    BOOLEAN = "bool"
    DATE = ".google.protobuf.Timestamp"
    JSON = "json"
    """A string that holds JSON text."""
    IDS = "ids"
    """Repeated strings: the links of a many-to-many relation."""
    TEXTS = ".octonet.core.v1.TextList"
    NUMBERS = ".octonet.core.v1.NumberList"
    BOOLEANS = ".octonet.core.v1.BooleanList"


class Part(msgspec.Struct, frozen=True):
    """One part of a row. `column` is its name in rows, `name` that in the message."""

    column: str
    name: str
    number: int
    kind: Kind
    note: str = ""


class Relative(msgspec.Struct, frozen=True):
    """A relation as it is told where it was asked for."""

    relation: str
    name: str
    number: int
    target: str
    many: bool


class Shape(msgspec.Struct, frozen=True):
    """The messages of one entity."""

    schema: EntitySchema
    parts: tuple[Part, ...]
    relatives: tuple[Relative, ...]
    system: Mapping[str, str]
    """What every row has → its name in the message."""
    numbers: Numbering
    related_numbers: Numbering
    plain: tuple[Part, ...]
    """Of the package `mostajs`."""
    plain_numbers: Numbering


_KINDS: Final[Mapping[FieldType, Kind]] = {
    FieldType.STRING: Kind.TEXT,
    FieldType.TEXT: Kind.TEXT,
    FieldType.NUMBER: Kind.NUMBER,
    FieldType.BOOLEAN: Kind.BOOLEAN,
    FieldType.DATE: Kind.DATE,
    FieldType.JSON: Kind.JSON,
    FieldType.ARRAY: Kind.JSON,
}
_LISTS: Final[Mapping[FieldType, Kind]] = {
    FieldType.STRING: Kind.TEXTS,
    FieldType.TEXT: Kind.TEXTS,
    FieldType.NUMBER: Kind.NUMBERS,
    FieldType.BOOLEAN: Kind.BOOLEANS,
}
_PLAIN: Final[Mapping[FieldType, Kind]] = {FieldType.NUMBER: Kind.NUMBER, FieldType.BOOLEAN: Kind.BOOLEAN}


def shapes(history: Sequence[Schemas]) -> dict[str, Shape]:
    """The shapes of the entities of the last of these schemas, by their names. `history`: the oldest first."""
    rows = numbered(history, _row_slots, FIRST)
    related = numbered(history, _related_slots, 1)
    plain = numbered(history, _plain_slots, FIRST_OF_MOSTAJS)
    return {
        name: _shape(entity, rows[name], related[name], plain[name]) for name, entity in history[-1].entities.items()
    }


def snake(name: str) -> str:
    """A name as .proto files spell fields."""
    return "_".join(word.lower() for word in _WORDS.findall(name)) or "field"


def names(columns: Iterable[tuple[str, int]]) -> dict[str, str]:
    """Each column's name in a message. Of those that would be spelled alike, all but the first carry their number."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for column, number in columns:
        name = snake(column)
        while name.replace("_", "") in taken:
            name = f"{name}_{number}"
        taken.add(name.replace("_", ""))
        found[column] = name
    return found


def _shape(schema: EntitySchema, rows: Numbering, related: Numbering, plain: Numbering) -> Shape:
    kinds = dict(_row_kinds(schema))
    spelled = names([(ID, SYSTEM[ID]), *rows.of.items()])
    # What is in the schema has its name; what every row has takes one that is free.
    free = names([*((name, rows.of.get(name, 1)) for name in spelled), (f"{RELATED}_", 2), (f"{VERSION}_", 3)])
    system = {ID: ID, RELATED: free[f"{RELATED}_"], VERSION: free[f"{VERSION}_"]}
    parts = tuple(Part(name, spelled[name], rows.of[name], kinds[name], _note(schema, name)) for name in rows.of)
    shown = names(related.of.items())
    relatives = tuple(
        Relative(relation.name, shown[relation.name], related.of[relation.name], relation.target, not one)
        for relation in schema.relations.values()
        for one in (relation.owns_column,)
    )
    declared = tuple(
        Part(name, name, plain.of[name], _PLAIN.get(field.type, _plain_kind(field)), _note(schema, name))
        for name, field in schema.fields.items()
        if name != ID
    )
    return Shape(schema, parts, relatives, system, rows, related, declared, plain)


def _row_kinds(schema: EntitySchema) -> Iterator[tuple[str, Kind]]:
    for column in schema.columns.values():
        if column.name == ID:
            continue
        field = schema.fields.get(column.name)
        listed = field.array_of if field is not None and column.type is FieldType.ARRAY else None
        kind = _LISTS.get(listed) if listed is not None and not isinstance(listed, Embedded) else None
        yield column.name, kind or _KINDS[column.type]
    for relation in schema.links:
        yield relation.name, Kind.IDS


def _row_slots(schema: EntitySchema) -> Iterator[Slot]:
    return (Slot(name, kind.value) for name, kind in _row_kinds(schema))


def _related_slots(schema: EntitySchema) -> Iterator[Slot]:
    for relation in schema.relations.values():
        yield Slot(relation.name, f"{relation.target}{'' if relation.owns_column else '*'}")


def _plain_slots(schema: EntitySchema) -> Iterator[Slot]:
    for name, field in schema.fields.items():
        if name != ID:
            yield Slot(name, FieldType.STRING if field.type is FieldType.TEXT else field.type)


def _plain_kind(field: Field) -> Kind:
    return Kind.JSON if field.type in (FieldType.JSON, FieldType.ARRAY) else Kind.TEXT


def _note(schema: EntitySchema, name: str) -> str:
    column, field = schema.columns.get(name), schema.fields.get(name)
    if column is None:
        return "The ids of the rows that it is linked with."
    if column.secret:
        return "Can be written, and is never told."
    if column.references:
        return f"The id of a row of {column.references}."
    if field is not None and field.enum:
        return f"One of: {', '.join(field.enum)}."
    if column.type in (FieldType.JSON, FieldType.ARRAY) and (field is None or field.array_of not in _LISTS):
        return "JSON text."
    return ""
