"""Speaks gRPC with grpcio, in the messages that the server describes by reflection. What no typed message can hold,
such as a text where a number belongs, is asked for as JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_reflection.v1alpha import reflection_pb2

from octonet.kernel.schema import SECRET_NAMES
from tests.conformance.clients import Call, Json, NotLetIn, Place

_LETTERS = {"filter", "stages", "value"}
_PLAIN = {"id": "id", "query": "query", "field": "field", "idempotencyKey": "idempotency_key",
          "expectedVersion": "expected_version", "minPosition": "min_position", "asOf": "as_of", "dryRun": "dry_run",
          "amount": "amount", "relations": "relations", "searchFields": "search_fields"}  # fmt: skip
_OPTIONS = {"limit": "limit", "skip": "skip", "includeDeleted": "include_deleted", "versions": "versions",
            "after": "cursor", "all": "all"}  # fmt: skip
_MASKS = {"select": "read_mask", "exclude": "exclude_mask"}
_POOLS: dict[tuple[str, str], DescriptorPool] = {}
_LISTS = {"string", "text", "number", "boolean"}


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    metadata = ([("x-api-key", key)] if key else []) + ([("x-project", place.project)] if place.project else [])
    address = place.server.listens["grpc"].removeprefix("grpc://")
    async with grpc.aio.insecure_channel(address) as channel:
        client = Client(channel, metadata, json.loads(place.server.schemas.read_text()))
        known = (address + str(place.server.pid), place.project)

        async def call(request: dict[str, Json]) -> tuple[str, Json]:
            try:
                if known not in _POOLS:
                    _POOLS[known] = await client.describe()
                client.pool = _POOLS[known]
                return "ok", await client.ask(request)
            except grpc.aio.AioRpcError as problem:
                return refused(problem)

        yield call


def refused(problem: Any) -> tuple[str, Json]:
    """The error of a call, as all doors tell it."""
    trailers = dict(problem.trailing_metadata() or ())
    if "grpc-status-details-bin" not in trailers:
        raise problem
    assert problem.code() not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), problem
    status = Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == problem.code().value[0]
    info, bad = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    assert info.domain == "octonet"
    if info.reason == "UNAUTHORIZED":
        raise NotLetIn(401)
    details = [{"path": each.field, "message": each.description} for each in bad.field_violations]
    error = {"code": info.reason, "message": status.message} | ({"details": details} if details else {})
    return info.reason, {"status": "error", "error": error}


class _DoesNotFit(Exception):
    """No typed message can hold it."""


class Client:
    """One connection to one project, whose schema file is `entities`."""

    def __init__(self, channel: Any, metadata: list[tuple[str, str]], entities: Json) -> None:
        self.channel = channel
        self.metadata = metadata
        self.pool = DescriptorPool()
        self._entities = {entity["name"]: entity for entity in entities}
        self._names = {name: e["name"] for e in entities for name in (e["name"], e["collection"])}

    async def describe(self) -> DescriptorPool:
        """The messages of the project, by reflection."""
        method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        asked = [
            reflection_pb2.ServerReflectionRequest(file_by_filename="octonet/v1/entities.proto"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="octonet.core.v1.OperationService"),
            reflection_pb2.ServerReflectionRequest(file_by_filename="mostajs/mostajs.proto"),
        ]
        files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        for each in asked:
            async for content in self.channel.stream_stream(method)([each.SerializeToString()], metadata=self.metadata):
                told = reflection_pb2.ServerReflectionResponse.FromString(content)
                for described in told.file_descriptor_response.file_descriptor_proto:
                    file = descriptor_pb2.FileDescriptorProto.FromString(described)
                    files[file.name] = file
        pool = DescriptorPool()

        def add(name: str) -> None:
            file = files.pop(name, None)
            if file is not None:
                for other in file.dependency:
                    add(other)
                pool.AddSerializedFile(file.SerializeToString())

        for name in list(files):
            add(name)
        return pool

    async def ask(self, request: dict[str, Json]) -> Json:
        """The OrmResponse of an OrmRequest."""
        given = dict(request)
        op, name = given.pop("op"), given.pop("entity")
        entity = self._names.get(name, name)
        try:
            takes = self.message(f"octonet.v1.{entity}Service{op[0].upper()}{op[1:]}Request")
            message = self._filled(takes, given)
        except (_DoesNotFit, KeyError, TypeError, ValueError):
            return await self._as_json(request)
        told = await self.call(f"octonet.v1.{entity}Service", op[0].upper() + op[1:], message)
        return self._told(op, entity, given, told)

    def message(self, name: str) -> Any:
        """The class of a message."""
        return GetMessageClass(self.pool.FindMessageTypeByName(name))

    async def call(self, service: str, method: str, message: Any, **more: Any) -> Any:
        """One call."""
        gives = self.pool.FindServiceByName(service).FindMethodByName(method).output_type
        unary = self.channel.unary_unary(
            f"/{service}/{method}", request_serializer=lambda each: each.SerializeToString(),
            response_deserializer=GetMessageClass(gives).FromString,
        )  # fmt: skip
        return await unary(message, metadata=self.metadata, **more)

    async def _as_json(self, request: dict[str, Json]) -> Json:
        kind = self.message("octonet.core.v1.ExecuteRequest")
        told = await self.call("octonet.core.v1.OperationService", "Execute", kind(request=json.dumps(request)))
        return json.loads(told.response)

    def _filled(self, takes: Any, given: dict[str, Json]) -> Any:
        fields = takes.DESCRIPTOR.fields_by_name
        message = takes()
        for member, value in given.items():
            if member == "data":
                mask = "update_mask" if "update_mask" in fields else "data_mask"
                self._fill_row(message.data, value)
                message.data.SetInParent()
                # A null is said by the mask, which then names all the rest too.
                if any(each is None or each == [] for each in value.values()):
                    getattr(message, mask).paths.extend(value)
            elif member == "options":
                self._fill_options(message, value)
            elif member in _LETTERS:
                setattr(message, member, json.dumps(value))
            elif member in ("relations", "searchFields"):
                getattr(message, _PLAIN[member]).extend(value)
            elif member in _PLAIN and _PLAIN[member] in fields:
                if isinstance(value, bool) and member != "dryRun":
                    raise _DoesNotFit
                setattr(message, _PLAIN[member], value)
            else:
                raise _DoesNotFit
        return message

    def _fill_options(self, message: Any, options: Json) -> None:
        for name, value in options.items():
            if name in _MASKS:
                mask = getattr(message, _MASKS[name])
                mask.SetInParent()
                mask.paths.extend(value)
            elif name == "sort":
                message.sort = json.dumps(value)
            elif isinstance(value, bool) != (name in ("includeDeleted", "versions", "all")):
                raise _DoesNotFit
            else:
                setattr(message, _OPTIONS[name], value)

    def _fill_row(self, message: Any, data: Json) -> None:
        fields = {field.json_name: field for field in message.DESCRIPTOR.fields}
        entity = self._entities[message.DESCRIPTOR.name]
        if not isinstance(data, dict):
            raise _DoesNotFit
        for column, value in data.items():
            field = fields.get(column)
            if field is None or column in ("related", "version"):
                raise _DoesNotFit
            if value is None:
                continue
            target = getattr(message, field.name)
            if field.is_repeated:
                target.extend(value)
            elif field.message_type is not None and field.message_type.name == "Timestamp":
                target.CopyFrom(_timestamp(type(target), value))
            elif field.message_type is not None:
                if not isinstance(value, list) or any(isinstance(each, bool) for each in value):
                    raise _DoesNotFit
                target.SetInParent()
                target.values.extend(value)
            elif _is_json(entity, column):
                setattr(message, field.name, json.dumps(value))
            elif isinstance(value, bool) != (field.cpp_type == field.CPPTYPE_BOOL):
                raise _DoesNotFit
            else:
                setattr(message, field.name, value)

    def _told(self, op: str, entity: str, given: dict[str, Json], told: Any) -> Json:
        fields = told.DESCRIPTOR.fields_by_name
        found: dict[str, Json] = {"status": "ok"}
        if "rows" in fields:
            rows = [_struct(row) for row in told.rows] if op == "aggregate" else [
                self.told_row(entity, row, given) for row in told.rows
            ]  # fmt: skip
            found |= {"data": rows, "metadata": {"count": len(rows)}}
            if told.HasField("cursor"):
                found["metadata"]["cursor"] = told.cursor
        elif "deleted" in fields:
            found["data"] = told.deleted
        elif "count" in fields:
            found["metadata"] = {"total" if op == "count" else "count": told.count}
            if op != "updateMany":
                found["data"] = told.count
        else:
            found["data"] = self.told_row(entity, told.row, given) if told.HasField("row") else None
            if told.version:
                found["version"] = told.version
        if "position" in fields and told.position:
            found["position"] = told.position
        if "dry_run" in fields and told.HasField("dry_run"):
            found["dryRun"] = json.loads(told.dry_run)
        return found

    def told_row(self, name: str, message: Any, given: dict[str, Json]) -> Json:
        """A row as all doors tell it."""
        entity = self._entities[name]
        options = given.get("options", {})
        row: dict[str, Json] = {}
        for field, value in _columns(message):
            column = field.json_name
            declared = entity["fields"].get(column, {})
            if column in SECRET_NAMES or declared.get("sensitive"):
                assert value is None
            elif column == "id" or (
                column in options.get("select", [column]) and column not in options.get("exclude", [])
            ):
                row[column] = json.loads(value) if value is not None and _is_json(entity, column) else _value(value)
        if message.HasField("version"):
            row["_version"] = message.version
        for relation in given.get("relations", ()):
            declared = entity["relations"][relation]
            related = getattr(message.related, relation)
            many = declared["type"].endswith("to-many")
            there = many or message.related.HasField(relation)
            rows = (
                [self.told_row(declared["target"], each, {}) for each in (related if many else [related])]
                if there
                else None
            )
            row[relation] = rows if many or rows is None else rows[0]
        return row


def _columns(message: Any) -> Iterator[tuple[Any, Json]]:
    for field in message.DESCRIPTOR.fields:
        if field.name in ("related", "version"):
            continue
        if field.is_repeated:
            yield field, list(getattr(message, field.name))
        else:
            yield field, getattr(message, field.name) if message.HasField(field.name) else None


def _value(value: Any) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    kind = type(value).__name__
    if kind == "Timestamp":
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [_value(each) for each in value.values] if kind.endswith("List") else value


def _struct(value: Any) -> Json:
    kind = type(value).__name__
    if kind == "Struct":
        return {name: _struct(each) for name, each in value.fields.items()}
    if kind == "ListValue":
        return [_struct(each) for each in value.values]
    chosen = value.WhichOneof("kind")
    if chosen == "null_value":
        return None
    found = getattr(value, chosen)
    return _struct(found) if chosen in ("struct_value", "list_value") else _value(found)


def _timestamp(kind: Any, value: Json) -> Any:
    moment = datetime.fromisoformat(value)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return kind(seconds=since.days * 86400 + since.seconds, nanos=since.microseconds * 1000)


def _is_json(entity: Json, column: str) -> bool:
    declared = entity["fields"].get(column, {})
    return declared.get("type") == "json" or (declared.get("type") == "array" and declared.get("arrayOf") not in _LISTS)
