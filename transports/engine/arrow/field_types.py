"""How the types of fields are called in Arrow, without Arrow itself: what the JSON view tells, and batches have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from octonet.kernel.filter import Options
from octonet.kernel.schema import VERSION_COLUMN, Embedded, EntitySchema, FieldType

TYPE: Final = "octonet.type"
"""The key of a field's metadata under which its type in the entity's schema stands."""
_NAMES: Final[Mapping[FieldType, str]] = {
    FieldType.STRING: "utf8",
    FieldType.TEXT: "utf8",
    FieldType.JSON: "utf8",
    FieldType.NUMBER: "float64",
    FieldType.BOOLEAN: "bool",
    FieldType.DATE: "timestamp[ms]",
}


class Shown(msgspec.Struct, frozen=True):
    """One column of an entity as it is shown. `element` is the type of what an array holds."""

    name: str
    type: FieldType
    nullable: bool = True
    element: FieldType = FieldType.JSON

    @property
    def arrow(self) -> str:
        """The name of its Arrow type."""
        if self.type is FieldType.ARRAY:
            return f"list<{_NAMES[self.element]}>"
        return _NAMES[self.type]


def shown(schema: EntitySchema, options: Options | None = None) -> Iterator[Shown]:
    """The columns of rows that are read with these options, in order: stored ones, then links as lists of ids, then
    the version where it is asked for. Secret ones are never among them."""
    select = frozenset(options.select if options else ())
    exclude = frozenset(options.exclude if options else ())

    def wanted(name: str) -> bool:
        return name == "id" or (name not in exclude and (not select or name in select))

    for name, column in schema.columns.items():
        if not column.secret and wanted(name):
            yield Shown(name, column.type, column.nullable, _element(schema, name))
    for link in schema.links:
        if wanted(link.name):
            yield Shown(link.name, FieldType.ARRAY, False, FieldType.STRING)
    if options is not None and options.versions:
        yield Shown(VERSION_COLUMN, FieldType.NUMBER, False)


def _element(schema: EntitySchema, name: str) -> FieldType:
    field = schema.fields.get(name)
    if field is None or field.array_of is None or isinstance(field.array_of, Embedded):
        return FieldType.JSON
    return FieldType.JSON if field.array_of is FieldType.ARRAY else field.array_of
