"""Tells what collections hold by some of their documents: MongoDB itself knows of no columns."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bson import Decimal128, ObjectId

from octonet.dialects.engine.mongodb_server import Document, Server
from octonet.dialects.engine.reflection import SHORT
from octonet.kernel.reflected import ReflectedColumn, ReflectedIndex, ReflectedTable
from octonet.kernel.schema import ID, FieldType

_DOCUMENTS: Final = 1000
"""Of each collection, as they come."""
_KEY: Final = "_id"
_TYPES: Final[Sequence[tuple[type, FieldType, str]]] = (
    # A truth value is a number to Python.
    (bool, FieldType.BOOLEAN, "bool"),
    (int, FieldType.NUMBER, "number"),
    (float, FieldType.NUMBER, "number"),
    (Decimal128, FieldType.NUMBER, "number"),
    (str, FieldType.STRING, "string"),
    (ObjectId, FieldType.STRING, "objectId"),
    (datetime.datetime, FieldType.DATE, "date"),
    (dict, FieldType.JSON, "object"),
    (list, FieldType.ARRAY, "array"),
)


async def reflected(server: Server) -> list[ReflectedTable]:
    """The collections that hold documents, by name. Raises `StorageUnavailable`."""
    listed = await server.written("list the collections", server.database.list_collection_names())
    found: list[ReflectedTable] = []
    for name in sorted(name for name in listed if not name.startswith("system.")):
        collection = server.collection(name)
        documents = await server.written(f"read some of {name}", collection.find(limit=_DOCUMENTS).to_list(None))
        indexes = await server.written(f"list the indexes of {name}", collection.index_information())
        if documents:
            columns = tuple(_columns(documents))
            found.append(ReflectedTable(name, columns, (ID,), tuple(_indexes(indexes))))
    return found


def _columns(documents: Sequence[Document]) -> Iterable[ReflectedColumn]:
    members = dict.fromkeys(name for document in documents for name in document)
    for name in members:
        values = [value for document in documents if (value := document.get(name)) is not None]
        told = sorted({_told(value) for value in values})
        required = name == _KEY or len(values) == len(documents)
        yield ReflectedColumn(_named(name), _type(name, values), " or ".join(told) or "null", required)


def _type(name: str, values: Sequence[object]) -> FieldType | None:
    """None where they are of several types, where no field holds them, and where all are null."""
    if name == _KEY and not all(isinstance(value, str) for value in values):
        return None
    kinds = {_kind(value) for value in values}
    kind = kinds.pop() if len(kinds) == 1 else None
    long = any(isinstance(value, str) and len(value) > SHORT for value in values)
    return FieldType.TEXT if kind is FieldType.STRING and long else kind


def _kind(value: object) -> FieldType | None:
    return next((kind for known, kind, _ in _TYPES if isinstance(value, known)), None)


def _told(value: object) -> str:
    return next((told for known, _, told in _TYPES if isinstance(value, known)), type(value).__name__)


def _indexes(told: Mapping[str, Mapping[str, object]]) -> Iterable[ReflectedIndex]:
    for name, about in told.items():
        key = about.get("key")
        members = [(str(member), way) for member, way in key] if isinstance(key, list) else []
        # One over words, places or digests is not over what stands in the members, nor is one over some documents.
        plain = "partialFilterExpression" not in about
        columns = tuple(_named(member) if way in (1, -1) and plain else "" for member, way in members)
        if columns != (ID,):
            yield ReflectedIndex(name, columns, bool(about.get("unique")))


def _named(member: str) -> str:
    return ID if member == _KEY else member
