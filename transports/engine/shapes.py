"""The shapes of a project's rows, of what operations take and of what they answer, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from octonet.kernel.operation import Operation, Result
from octonet.kernel.schema import ID, Embedded, EntitySchema, Field, FieldType, RelationKind

Json: TypeAlias = dict[str, object]

_TYPES: Mapping[FieldType, Json] = {
    FieldType.STRING: {"type": "string"},
    FieldType.TEXT: {"type": "string"},
    FieldType.NUMBER: {"type": "number"},
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.DATE: {"type": "string", "format": "date-time"},
    FieldType.JSON: {},
    FieldType.ARRAY: {"type": "array", "items": {}},
}
MEMBERS: Final[Mapping[str, Json]] = {
    "id": {"type": "string"},
    "filter": {"type": "object"},
    "options": {"type": "object"},
    "relations": {"type": "array", "items": {"type": "string"}},
    "query": {"type": "string"},
    "searchFields": {"type": "array", "items": {"type": "string"}},
    "stages": {"type": "array", "items": {"type": "object"}},
    "field": {"type": "string"},
    "value": {},
    "amount": {"type": "number"},
    "idempotencyKey": {"type": "string"},
    "expectedVersion": {"type": ["integer", "string"]},
    "minPosition": {"type": "string"},
    "asOf": {"type": "string"},
    "dryRun": {"type": "boolean"},
}
"""Member of a request → its shape; `data` is the entity's own."""


def entity(schema: EntitySchema) -> Json:
    """By name: a row as it is told, a row as it is given, and a change of one."""
    row: Json = {ID: {"type": "string"}}
    given: Json = {ID: {"type": "string", "minLength": 1, "maxLength": 64}}
    required: list[str] = []
    for name, column in schema.columns.items():
        if name == ID:
            continue
        field = schema.fields.get(name)
        shape = _field(field) if field is not None else _TYPES[column.type]
        shape = _nullable(shape) if column.nullable else shape
        if not column.secret:
            row[name] = shape
        given[name] = shape
        if not column.nullable and (field is None or (field.default is None and not field.default_now)):
            required.append(name)
    for relation in schema.relations.values():
        if relation.kind is RelationKind.MANY_TO_MANY:
            row[relation.name] = given[relation.name] = {"type": "array", "items": {}}
    whole: Json = {"type": "object", "properties": given, "additionalProperties": False}
    return {
        schema.name: {"type": "object", "properties": row},
        f"{schema.name}Input": {**whole, "required": required} if required else whole,
        f"{schema.name}Patch": whole,
    }


def _field(field: Field) -> Json:
    if field.enum:
        return {"type": "string", "enum": list(field.enum)}
    if isinstance(field.array_of, Embedded):
        members = {name: _field(inner) for name, inner in field.array_of.fields.items()}
        return {"type": "array", "items": {"type": "object", "properties": members}}
    if field.array_of is not None:
        return {"type": "array", "items": _TYPES[field.array_of]}
    return _TYPES[field.type]


def _nullable(shape: Json) -> Json:
    if "type" not in shape:
        return shape
    found = {**shape, "type": [shape["type"], "null"]}
    enum = shape.get("enum")
    if isinstance(enum, list):
        found["enum"] = [*enum, None]
    return found


def data(schema: EntitySchema, operation: type[Operation]) -> Json:
    """What an operation tells as its data; rows refer to `entity`'s shapes."""
    row = {"$ref": f"#/components/schemas/{schema.name}"}
    found: Mapping[Result, Json] = {
        Result.ROW: {"anyOf": [row, {"type": "null"}]},
        Result.ROWS: {"type": "array", "items": row if operation.op() != "aggregate" else {"type": "object"}},
        Result.DELETED: {"type": "boolean"},
        Result.COUNT: {"type": "integer"},
    }
    return found[operation.result]
