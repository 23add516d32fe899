"""The package `mostajs`: the messages and the six methods per entity that programs know from before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from transports.engine.grpc.fields import Kind, Shape
from transports.engine.grpc.files import File, camel

PACKAGE: Final = "mostajs"
NAME: Final = "mostajs/mostajs.proto"
METHODS: Final[Mapping[str, tuple[str, str, str]]] = {
    "FindAll": ("findAll", "FilterRequest", "list"),
    "FindById": ("findById", "IdRequest", "row"),
    "Create": ("create", "input", "row"),
    "Update": ("update", "update", "row"),
    "Delete": ("delete", "IdRequest", "StatusResponse"),
    "Count": ("count", "FilterRequest", "CountResponse"),
}
"""Method → its operation, what it takes, what it gives."""
_SHARED: Final[Mapping[str, tuple[tuple[str, int, str, str], ...]]] = {
    "Empty": (),
    "IdRequest": (("id", 1, "string", ""),),
    "FilterRequest": (
        ("filter", 1, "string", "JSON."),
        ("sort", 2, "string", "JSON."),
        ("limit", 3, "int32", ""),
        ("skip", 4, "int32", ""),
    ),
    "CountResponse": (("count", 1, "int64", ""),),
    "StatusResponse": (("status", 1, "string", ""), ("message", 2, "string", ""), ("data", 3, "string", "JSON.")),
}


class Called(msgspec.Struct, frozen=True):
    """The messages of one entity, by what they are for."""

    row: str
    list: str
    input: str
    update: str
    shared: Mapping[str, str]

    def of(self, kind: str) -> str:
        """The message of a kind, as `METHODS` says it."""
        own = {"row": self.row, "list": self.list, "input": self.input, "update": self.update}
        return own.get(kind) or self.shared[kind]


def plain(shapes: Mapping[str, Shape]) -> tuple[File, dict[str, Called]]:
    """The file, and what each entity's messages are called. Names are no part of what is sent: where an entity has the
    name of a message of another, the other gives way."""
    file = File(NAME, PACKAGE, ())
    rows = {name: file.name(name) for name in shapes}
    shared = {name: file.name(name) for name in _SHARED}
    called = {
        name: Called(row, file.name(f"{name}List"), file.name(f"{name}Input"), file.name(f"{name}UpdateInput"), shared)
        for name, row in rows.items()
    }
    for name, fields in _SHARED.items():
        message = file.message(shared[name])
        for field in fields:
            message.field(*field)
    for name, shape in shapes.items():
        _entity(file, shape, called[name])
    return file, called


def _entity(file: File, shape: Shape, called: Called) -> None:
    row = file.message(called.row)
    row.field("id", 1, "string")
    alike = Counter(camel(part.name) for part in shape.plain)
    for part in shape.plain:
        # Names stay as they are, also those that protobuf would spell alike in JSON.
        json = part.name if alike[camel(part.name)] > 1 or camel(part.name) == "id" else ""
        note = "A time in ISO-8601." if shape.schema.columns[part.column].type == "date" else part.note
        row.field(part.name, part.number, "string" if part.kind is Kind.JSON else part.kind.value, note, json)
    row.reserve(shape.plain_numbers, shape.plain_numbers.left)
    rows = file.message(called.list)
    rows.field("items", 1, f"{row.full}*")
    rows.field("total", 2, "int64")
    file.message(called.input).field("data", 1, "string", "JSON.")
    change = file.message(called.update)
    change.field("id", 1, "string")
    change.field("data", 2, "string", "JSON.")
    service = file.service(f"{shape.schema.name}Service", f"The rows of {shape.schema.name}.")
    for method, (_, takes, gives) in METHODS.items():
        service.method(method, file.full(called.of(takes)), file.full(called.of(gives)))
