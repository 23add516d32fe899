"""What a tool takes and what it answers with, as JSON Schema 2020-12.

Where the reference's clients send JSON as text, text is allowed beside the value itself. Members stand in the order in
which the SDK writes them for the earlier revision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from octonet.kernel import columns
from octonet.kernel.operation import Operation, Query, Result
from octonet.kernel.schema import ID, EntitySchema, FieldType
from transports.engine import shapes
from transports.engine.mcp import arguments
from transports.engine.shapes import Json

_COMPARED: Final[Mapping[FieldType, str]] = {
    FieldType.STRING: "string",
    FieldType.TEXT: "string",
    FieldType.DATE: "string",
    FieldType.NUMBER: "number",
    FieldType.BOOLEAN: "boolean",
}
"""What a column's values are in JSON, where they can be compared."""
_TEXT: Final[Json] = {"type": "string"}
_NAMES: Final[Json] = {"type": ["array", "string"], "items": _TEXT}
_WHOLE: Final[Json] = {"type": "integer", "minimum": 0}
_SORT: Final[Json] = {"type": ["object", "string"], "additionalProperties": {"enum": [1, -1, "asc", "desc"]}}
_FLAG: Final[Json] = {"type": "boolean"}
_CUT: Final[Json] = {
    "sort": {"type": "object", "additionalProperties": {"enum": [1, -1, "asc", "desc"]}},
    "skip": _WHOLE,
    "limit": _WHOLE,
    "after": {"type": "string", "description": "Where the page before ended: its metadata.cursor."},
}
_SHOW: Final[Json] = {"select": _NAMES, "exclude": _NAMES}
_DELETED: Final[Json] = {"includeDeleted": _FLAG}
_ALL: Final[Json] = {"all": {"type": "boolean", "description": "Says that every row is meant."}}
_PLAIN: Final[Json] = {
    "id": {"type": "string", "minLength": 1, "maxLength": 64},
    "relations": {**_NAMES, "description": "Relations to populate, by name."},
    "query": {"type": "string", "description": "The text to look for."},
    "fields": {**_NAMES, "description": "The columns to search; every text field unless given."},
    "stages": {
        "type": ["array", "string"],
        "items": {"type": "object"},
        "description": 'Stages such as {"$match":{…}}, {"$group":{"_by":"state","n":{"$count":true}}}, {"$limit":9}.',
    },
    "amount": {"type": "number", "description": "What to add; may be negative."},
    "value": {"description": "The element; text in quotation marks is read as JSON."},
    "sort": {**_SORT, "description": 'Columns and directions, such as {"age":-1}.'},
    "limit": _WHOLE,
    "skip": _WHOLE,
    "idempotencyKey": {"type": "string", "description": "The same key with the same content has one effect."},
    "expectedVersion": {"type": ["integer", "string"], "description": "The version that the row must have, or *."},
    "minPosition": {"type": "string", "description": "The position of a write that must be seen."},
    "asOf": {"type": "string", "description": "A position, or an ISO-8601 time: the answer is as it was right after."},
    "dryRun": {"type": "boolean", "description": "true: nothing is done, the answer tells what would be."},
}


def given(schema: EntitySchema, operation: type[Operation]) -> Json:
    """The input schema of a tool."""
    names = arguments.names(operation)
    required = [name for name in names if name in operation.needs]
    if "options" in names and "filter" in required:
        # Whoever means every row says so in the options, and gives no filter.
        required.remove("filter")
    shape: Json = {"properties": {name: _argument(schema, operation, name) for name in names}}
    if required:
        shape["required"] = required
    return {**shape, "type": "object", "additionalProperties": False}


def told(schema: EntitySchema, operation: type[Operation]) -> Json:
    """The output schema of a tool: the answer that every door gives, or an error."""
    found: Json = {
        "status": {"enum": ["ok", "error"]},
        "data": _data(schema, operation),
        "metadata": {"type": "object"},
        "version": {"type": "integer"},
    }
    if not issubclass(operation, Query):
        found["position"] = _TEXT
        found["dryRun"] = {"type": "object"}
    error: Json = {
        "type": "object",
        "properties": {"code": _TEXT, "message": _TEXT, "details": {"type": "array", "items": {"type": "object"}}},
        "required": ["code", "message"],
    }
    return {"properties": {**found, "error": error}, "required": ["status"], "type": "object"}


def _argument(schema: EntitySchema, operation: type[Operation], name: str) -> Json:
    match name:
        case "data":
            kind = "Input" if operation.needs == ("data",) else "Patch"
            shape = shapes.entity(schema)[f"{schema.name}{kind}"]
            assert isinstance(shape, dict)
            return {**shape, "type": ["object", "string"]}
        case "filter":
            known: Json = {name: _condition(column.type) for name, column in columns.of(schema).columns.items()}
            described = 'Column → value, or operators: {"$gte":1}, {"$in":[…]}; $and and $or take lists of filters.'
            return {"type": ["object", "string"], "properties": known, "description": described}
        case "options":
            return {"type": "object", "properties": _options(operation), "additionalProperties": False}
        case "field":
            fields = list(_fields(schema, operation))
            return {"type": "string", "enum": fields} if fields else _TEXT
        case _:
            shape = _PLAIN.get(name, shapes.MEMBERS.get(name, {}))
            assert isinstance(shape, dict)
            return shape


def _condition(type: FieldType) -> Json:
    """What a filter may say of a column: a value, operators, or that there is none."""
    kind = _COMPARED.get(type)
    return {} if kind is None else {"type": [kind, "object", "null"]}


def _options(operation: type[Operation]) -> Json:
    if not issubclass(operation, Query):
        return _ALL
    if operation.result is Result.COUNT:
        return _DELETED
    if operation.result is Result.ROW:
        return {**_SHOW, **_DELETED} if "id" in operation.needs else {"sort": _CUT["sort"], **_SHOW, **_DELETED}
    return {**_CUT, **_SHOW, **_DELETED}


def _fields(schema: EntitySchema, operation: type[Operation]) -> Iterator[str]:
    """The fields that an operation on one of them can be about."""
    wanted = FieldType.NUMBER if "amount" in operation.needs else FieldType.ARRAY
    yield from (field.name for field in schema.fields.values() if field.type is wanted and not field.secret)
    if wanted is FieldType.ARRAY:
        yield from (link.name for link in schema.links)


def _data(schema: EntitySchema, operation: type[Operation]) -> Json:
    row = _row(schema)
    match operation.result:
        case Result.ROW:
            return {**row, "type": ["object", "null"]}
        case Result.ROWS:
            # The rows of an aggregation are what its stages make of them.
            return {"type": "array", "items": row if "stages" not in operation.needs else {"type": "object"}}
        case Result.DELETED:
            return _FLAG
        case Result.COUNT:
            return {"type": "integer"}


def _row(schema: EntitySchema) -> Json:
    """A row as it is told. What was written under an earlier schema need not fit what rows must hold by now."""
    properties: Json = {}
    shown = shapes.entity(schema)[schema.name]
    assert isinstance(shown, dict)
    references = {relation.column for relation in schema.references}
    for name, shape in shown["properties"].items():
        kind = shape.get("type")
        if name == ID:
            properties[name] = _TEXT
        elif name in references:
            properties[name] = {"type": ["string", "object", "null"]}
        elif kind is None:
            properties[name] = {}
        else:
            kinds = kind if isinstance(kind, list) else [kind, "null"]
            properties[name] = {"type": kinds, **({"format": shape["format"]} if "format" in shape else {})}
    return {"type": "object", "properties": properties}
