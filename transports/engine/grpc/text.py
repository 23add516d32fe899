"""Prints the description of a file as .proto text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from transports.engine.grpc.files import File

_SCALARS: Final = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_DOUBLE: "double",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_INT64: "int64",
    FieldDescriptorProto.TYPE_INT32: "int32",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
}
_PLAIN: Final = re.compile(r"[\n\r]+")


def text(file: File) -> str:
    """The whole file."""
    return "\n".join(_Printed(file.proto, file.notes).lines()) + "\n"


class _Printed:
    def __init__(self, proto: FileDescriptorProto, notes: Mapping[str, str]) -> None:
        self._proto = proto
        self._notes = notes

    def lines(self) -> Iterator[str]:
        yield from self._note("", 0)
        yield from ('syntax = "proto3";', "", f"package {self._proto.package};")
        if self._proto.dependency:
            yield ""
            yield from (f'import "{name}";' for name in sorted(self._proto.dependency))
        for service in self._proto.service:
            yield ""
            yield from self._service(service)
        for message in self._proto.message_type:
            yield ""
            yield from self._message(message, message.name, 0)

    def _service(self, service: ServiceDescriptorProto) -> Iterator[str]:
        yield from self._note(service.name, 0)
        yield f"service {service.name} {{"
        for method in service.method:
            yield from self._note(f"{service.name}.{method.name}", 1)
            yield f"  {self._method(method)}"
        yield "}"

    def _method(self, method: MethodDescriptorProto) -> str:
        takes = ("stream " if method.client_streaming else "") + self._type(method.input_type)
        gives = ("stream " if method.server_streaming else "") + self._type(method.output_type)
        return f"rpc {method.name}({takes}) returns ({gives});"

    def _message(self, message: DescriptorProto, path: str, depth: int) -> Iterator[str]:
        yield from self._note(path, depth)
        margin = "  " * depth
        body = list(self._body(message, path, depth + 1))
        if not body:
            yield f"{margin}message {message.name} {{}}"
            return
        yield f"{margin}message {message.name} {{"
        yield from body
        yield f"{margin}}}"

    def _body(self, message: DescriptorProto, path: str, depth: int) -> Iterator[str]:
        margin = "  " * depth
        for nested in message.nested_type:
            yield from self._message(nested, f"{path}.{nested.name}", depth)
        if message.reserved_range:
            yield f"{margin}reserved {', '.join(str(each.start) for each in message.reserved_range)};"
        if message.reserved_name:
            quoted = (f'"{name}"' for name in message.reserved_name)
            yield f"{margin}reserved {', '.join(quoted)};"
        chosen = [f for f in message.field if f.HasField("oneof_index") and not f.proto3_optional]
        for field in message.field:
            if field not in chosen:
                yield from self._note(f"{path}.{field.name}", depth)
                yield f"{margin}{self._field(field)}"
        if chosen:
            yield f"{margin}oneof {message.oneof_decl[0].name} {{"
            for field in chosen:
                yield from self._note(f"{path}.{field.name}", depth + 1)
                yield f"{margin}  {self._field(field)}"
            yield f"{margin}}}"

    def _field(self, field: FieldDescriptorProto) -> str:
        how = "repeated " if field.label == field.LABEL_REPEATED else "optional " if field.proto3_optional else ""
        type_ = _SCALARS.get(field.type) or self._type(field.type_name)
        json = f' [json_name = "{field.json_name}"]' if field.HasField("json_name") else ""
        return f"{how}{type_} {field.name} = {field.number}{json};"

    def _type(self, full: str) -> str:
        return full.removeprefix(f".{self._proto.package}.").removeprefix(".")

    def _note(self, path: str, depth: int) -> Iterator[str]:
        note = self._notes.get(path)
        if note:
            margin = "  " * depth
            for line in textwrap.wrap(_PLAIN.sub(" ", note), 110 - len(margin)):
                yield f"{margin}// {line}"
