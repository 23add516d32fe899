"""The messages of a project's entities: made from its schemas when they are first needed, and when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from google.protobuf import descriptor_pb2, field_mask_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Operation
from octonet.kernel.past import Past
from octonet.kernel.schema import Schemas
from transports.engine.grpc import core_file, entity_file, plain_file
from transports.engine.grpc.fields import shapes
from transports.engine.grpc.files import File
from transports.engine.grpc.rows import Rows

_MOST: Final = 256
"""Projects whose messages are kept."""
_WELL_KNOWN: Final = (field_mask_pb2, struct_pb2, timestamp_pb2, descriptor_pb2)


class Home(Protocol):
    """What is asked of a project."""

    @property
    def name(self) -> ProjectName: ...

    @property
    def schemas(self) -> Schemas: ...

    @property
    def past(self) -> Past: ...


class Described:
    """The messages of one project. `history`: every schema that it had, the oldest first, its own the last."""

    def __init__(self, history: Sequence[Schemas], operations: Mapping[str, type[Operation]]) -> None:
        self.shapes = shapes(history)
        self.entities, self._names = entity_file.entities(self.shapes, operations)
        self.plain, self.plain_names = plain_file.plain(self.shapes)
        self.core = core_file.core()
        self.rows: dict[str, Rows] = {}
        self.rows.update({name: Rows(shape, self.rows) for name, shape in self.shapes.items()})
        self.pool = DescriptorPool()
        for module in _WELL_KNOWN:
            self.pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        for file in self.files():
            self.pool.AddSerializedFile(file.proto.SerializeToString())
        self._classes: dict[str, type[Message]] = {}

    def files(self) -> tuple[File, ...]:
        """What is printed."""
        return self.core, self.entities, self.plain

    def services(self) -> list[str]:
        """The full names of all services."""
        return [f"{file.proto.package}.{service.name}" for file in self.files() for service in file.proto.service]

    def message(self, name: str) -> type[Message]:
        """The class of a message, by its full name."""
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = GetMessageClass(self.pool.FindMessageTypeByName(name))
        return found

    def sent(self, entity: str, method: str) -> tuple[type[Message], type[Message]]:
        """What a method of the package `octonet.v1` takes and gives."""
        takes, gives = self._names.sent[entity, method]
        return self.message(f"{entity_file.PACKAGE}.{takes}"), self.message(f"{entity_file.PACKAGE}.{gives}")


class Descriptions:
    """Keeps what was made."""

    def __init__(self, operations: Mapping[str, type[Operation]]) -> None:
        self._operations = operations
        self._kept: dict[ProjectName, tuple[Schemas, Described]] = {}
        self._making = asyncio.Lock()

    def known(self, home: Home) -> Described | None:
        """What was made of a project as it is now."""
        kept = self._kept.get(home.name)
        return kept[1] if kept is not None and kept[0] is home.schemas else None

    async def of(self, home: Home) -> Described:
        """The messages of a project. Raises `Unavailable` while its history cannot be read."""
        found = self.known(home)
        if found is not None:
            return found
        async with self._making:
            found = self.known(home)
            if found is None:
                history = await home.past.schemas()
                if not history or history[-1].digest != home.schemas.digest:
                    history.append(home.schemas)
                history[-1] = home.schemas
                found = await asyncio.to_thread(Described, history, self._operations)
                if len(self._kept) >= _MOST:
                    del self._kept[next(iter(self._kept))]
                self._kept[home.name] = home.schemas, found
        return found
