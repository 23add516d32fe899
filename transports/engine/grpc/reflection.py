"""Server reflection: the services and messages of a project, for tools that come without a .proto file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, cast

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToJson, Parse
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from transports.engine.grpc.descriptions import Described
from transports.engine.grpc.entrance import Call, Entrance, Visit, parsed
from transports.engine.grpc.health import SERVICE as HEALTH

SERVICES: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
"""Both have the same messages."""
_NOT_FOUND: Final = 5
_INVALID_ARGUMENT: Final = 3


def _renamed() -> FileDescriptor:
    """The description of v1, which has the content of v1alpha under another name."""
    content: bytes = reflection_pb2.DESCRIPTOR.serialized_pb
    # Names carry their lengths, so that it is not the bytes that are replaced.
    told = MessageToJson(FileDescriptorProto.FromString(content)).replace("v1alpha", "v1")
    pool = DescriptorPool()
    pool.AddSerializedFile(Parse(told, FileDescriptorProto()).SerializeToString())
    return pool.FindFileContainingSymbol(SERVICES[0])


_OWN: Final = (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR, _renamed())


class Reflection:
    """Answers questions about the project that the call means."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def answer(self, asked: AsyncIterator[bytes], call: Call) -> None:
        """One answer for each question."""
        visit: Visit | None = None
        async for content in asked:
            if visit is None:
                # Not before the first question: clients that are refused while they write do not hear why.
                visit = await self._entrance.visit(call)
                await self._entrance.gateway.count(visit.who)
            question = parsed(reflection_pb2.ServerReflectionRequest, content)
            told = reflection_pb2.ServerReflectionResponse(**_told(visit.described, question))
            told.valid_host = getattr(question, "host", "")
            told.original_request.CopyFrom(question)
            await call.write(told.SerializeToString())


def _told(described: Described, question: object) -> dict[str, object]:
    asked = reflection_pb2.ServerReflectionRequest()
    asked.CopyFrom(question)
    match asked.WhichOneof("message_request"):
        case "list_services":
            names = [*described.services(), HEALTH, *SERVICES]
            return {"list_services_response": {"service": [{"name": name} for name in sorted(names)]}}
        case "file_by_filename":
            return _files(_named(described, asked.file_by_filename))
        case "file_containing_symbol":
            return _files(_holding(described, asked.file_containing_symbol))
        case "file_containing_extension" | "all_extension_numbers_of_type":
            return _failed(_NOT_FOUND, "there are no extensions")
        case _:
            return _failed(_INVALID_ARGUMENT, "asks for nothing that is known")


def _named(described: Described, name: str) -> FileDescriptor | None:
    for own in _OWN:
        if own.name == name:
            return cast("FileDescriptor", own)
    try:
        found = described.pool.FindFileByName(name)
    except KeyError:
        return None
    return found


def _holding(described: Described, symbol: str) -> FileDescriptor | None:
    for own in _OWN:
        if symbol.startswith(f"{own.package}."):
            return cast("FileDescriptor", own)
    try:
        found = described.pool.FindFileContainingSymbol(symbol)
    except KeyError:
        return None
    return found


def _files(found: FileDescriptor | None) -> dict[str, object]:
    if found is None:
        return _failed(_NOT_FOUND, "there is no such file or symbol")
    files: dict[str, bytes] = {}
    _gather(found, files)
    return {"file_descriptor_response": {"file_descriptor_proto": list(files.values())}}


def _gather(file: FileDescriptor, files: dict[str, bytes]) -> None:
    """A file, and all that it stands on."""
    if file.name not in files:
        files[file.name] = file.serialized_pb
        for other in file.dependencies:
            _gather(other, files)


def _failed(code: int, sentence: str) -> dict[str, object]:
    return {"error_response": {"error_code": code, "error_message": sentence}}
