"""Builds the descriptions of .proto files, piece by piece. The packages of protobuf are imported here, and by what is
imported once the door is open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from transports.engine.grpc.numbers import Numbering

TIMESTAMP: Final = ".google.protobuf.Timestamp"
MASK: Final = ".google.protobuf.FieldMask"
STRUCT: Final = ".google.protobuf.Struct"

_SCALARS: Final = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}


class File:
    """One file in the making."""

    def __init__(self, name: str, package: str, imports: Iterable[str]) -> None:
        self.proto = FileDescriptorProto(name=name, package=package, syntax="proto3", dependency=list(imports))
        self.notes: dict[str, str] = {}
        """Comments, by the full name of what they are about, without the package."""
        self._taken: set[str] = set()

    def name(self, wanted: str) -> str:
        """A name for a message that no other one has."""
        while wanted in self._taken:
            wanted += "_"
        self._taken.add(wanted)
        return wanted

    def message(self, name: str, note: str = "") -> Message:
        """A new message."""
        return Message(self, self.proto.message_type.add(name=name), name, note)

    def service(self, name: str, note: str) -> Service:
        """A new service."""
        return Service(self, name, note)

    def full(self, name: str) -> str:
        """The name of a message of this file as other files know it."""
        return f".{self.proto.package}.{name}"


class Message:
    """One message in the making."""

    def __init__(self, file: File, proto: DescriptorProto, path: str, note: str) -> None:
        self._file = file
        self.proto = proto
        self.path = path
        if note:
            file.notes[path] = note

    @property
    def full(self) -> str:
        """Its name as a type."""
        return self._file.full(self.path)

    def nested(self, name: str, note: str = "") -> Message:
        """A new message inside it."""
        return Message(self._file, self.proto.nested_type.add(name=name), f"{self.path}.{name}", note)

    def field(self, name: str, number: int, type: str, note: str = "", json: str = "") -> None:
        """A new field. A type is that of a scalar or a full name: with ``*`` behind it repeated, with ``?`` one whose
        absence is told from its default, with ``|`` one of the message's choice."""
        how, bare = type[-1], type.rstrip("*?|")
        proto = self.proto.field.add(name=name, number=number)
        proto.label = FieldDescriptorProto.LABEL_REPEATED if how == "*" else FieldDescriptorProto.LABEL_OPTIONAL
        if bare in _SCALARS:
            proto.type = _SCALARS[bare]
        else:
            proto.type = FieldDescriptorProto.TYPE_MESSAGE
            proto.type_name = bare
        if json:
            proto.json_name = json
        if how == "|":
            proto.oneof_index = 0
        elif how == "?":
            proto.proto3_optional = True
        if note:
            self._file.notes[f"{self.path}.{name}"] = note

    def choice(self, name: str) -> None:
        """Of the fields whose type ends with ``|`` at most one is there."""
        self.proto.oneof_decl.add(name=name)

    def close(self) -> Message:
        """Give every field whose absence is told the group of its own that protobuf asks for; they come last."""
        for field in self.proto.field:
            if field.proto3_optional:
                field.oneof_index = len(self.proto.oneof_decl)
                self.proto.oneof_decl.add(name=f"_{field.name}")
        return self

    def reserve(self, numbering: Numbering, spelled: Iterable[str]) -> None:
        """Numbers and names that once were given."""
        used = {field.name for field in self.proto.field}
        for number in numbering.gone:
            self.proto.reserved_range.add(start=number, end=number + 1)
        self.proto.reserved_name.extend(sorted({name for name in spelled if name not in used}))


class Service:
    """One service in the making."""

    def __init__(self, file: File, name: str, note: str) -> None:
        self._file = file
        self._name = name
        self._proto = file.proto.service.add(name=name)
        file.notes[name] = note

    def method(
        self, name: str, takes: str, gives: str, note: str = "", *, sends: bool = False, streams: bool = False
    ) -> None:
        """A new method; its client `sends` many messages, or its server `streams` them."""
        method = self._proto.method.add(name=name, input_type=takes, output_type=gives)
        if sends:
            method.client_streaming = True
        if streams:
            method.server_streaming = True
        if note:
            self._file.notes[f"{self._name}.{name}"] = note


def camel(name: str) -> str:
    """What protobuf calls a field in JSON, unless it is told otherwise."""
    first, *more = name.split("_")
    return first + "".join(each[:1].upper() + each[1:] for each in more)
