"""Describes a project's REST door as an OpenAPI 3.1 document, made from its schema and the catalog of operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from octonet import __version__
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Operation, Result
from octonet.kernel.schema import (
    ID,
    Embedded,
    EntitySchema,
    Field,
    FieldType,
    RelationKind,
    Schemas,
)
from transports.engine import coerce, conditions

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
_JSON_TEXT: Json = {"application/json": {"schema": {"type": "object"}}}
_PARAMETERS: Mapping[str, tuple[str, Json]] = {
    "filter": ('A filter as JSON, such as {"age":{"$gte":18}}.', {"content": _JSON_TEXT}),
    "sort": ('Columns and directions as JSON, such as {"age":-1}.', {"content": _JSON_TEXT}),
    "limit": ("Rows wanted at most.", {"schema": {"type": "integer", "minimum": 0}}),
    "skip": ("Rows to leave out first.", {"schema": {"type": "integer", "minimum": 0}}),
    "select": ("The columns wanted, comma-separated; the id always comes.", {"schema": {"type": "string"}}),
    "exclude": ("Columns not wanted, comma-separated.", {"schema": {"type": "string"}}),
    "relations": ("Relations to populate, comma-separated.", {"schema": {"type": "string"}}),
    "include": ("The same as relations.", {"schema": {"type": "string"}}),
    "includeDeleted": ("Whether soft-deleted rows are seen.", {"schema": {"type": "boolean"}}),
    "cursor": ("Where the page before ended: its metadata.cursor.", {"schema": {"type": "string"}}),
    "confirm": ("Says that the operation may touch every row.", {"schema": {"type": "string", "enum": ["all"]}}),
    "q": ("The text to look for.", {"schema": {"type": "string"}}),
    "query": ("The same as q.", {"schema": {"type": "string"}}),
    "fields": ("The columns to search, comma-separated.", {"schema": {"type": "string"}}),
}
_MEMBERS: Mapping[str, Json] = {
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
}
_BY_METHOD = frozenset({"findAll", "create", "findById", "update", "delete", "findOne", "count"})
_ID_PARAMETER: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 64}}


class Description:
    """Writes the documents, each schema's once."""

    def __init__(self, catalog: Mapping[str, type[Operation]], path: str) -> None:
        self._catalog = catalog
        self._path = path
        self._written: dict[ProjectName, tuple[Schemas, bytes]] = {}

    def document(self, project: ProjectName, schemas: Schemas) -> bytes:
        """The project's OpenAPI document, JSON text."""
        known = self._written.get(project)
        if known is None or known[0] is not schemas:
            known = self._written[project] = (schemas, msgspec.json.encode(self._document(project, schemas)))
        return known[1]

    def _document(self, project: ProjectName, schemas: Schemas) -> Json:
        paths: Json = {}
        components: Json = {"Error": _ERROR}
        for schema in schemas.entities.values():
            paths |= self._paths(schema)
            components |= _components(schema)
        return {
            "openapi": "3.1.0",
            "info": {"title": f"Octonet: {project}", "version": __version__},
            "servers": [{"url": "/" if project == DEFAULT_PROJECT else f"/{project}"}],
            "paths": paths,
            "components": {
                "schemas": components,
                "parameters": {
                    name: {"name": name, "in": "query", "description": text, **how}
                    for name, (text, how) in _PARAMETERS.items()
                }
                | {
                    name: {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
                    for name, text in conditions.DESCRIBED.items()
                },
                "responses": {
                    "Error": {"description": "Refused, or failed.", "content": _content(_ref("schemas", "Error"))}
                },
            },
        }

    def _paths(self, schema: EntitySchema) -> Iterator[tuple[str, Json]]:
        root = f"{self._path}/{schema.collection}"
        one: Json = {"parameters": [_ID_PARAMETER]}
        whole, patch = _ref("schemas", f"{schema.name}Input"), _ref("schemas", f"{schema.name}Patch")
        yield (
            root,
            {
                "get": self._operation(schema, "findAll"),
                "post": self._operation(schema, "create", body=whole, status="201"),
            },
        )
        for word, op in (("count", "count"), ("one", "findOne")):
            yield f"{root}/{word}", {"get": self._operation(schema, op)}
        yield (
            f"{root}/{{id}}",
            {
                **one,
                "get": self._operation(schema, "findById"),
                "put": self._operation(schema, "update", body=patch),
                "patch": self._operation(schema, "update", body=patch, name="patch"),
                "delete": self._operation(schema, "delete"),
            },
        )
        yield (
            f"{root}/bulk",
            {
                "put": self._operation(schema, "updateMany", body=self._body(schema, "updateMany"), name="putBulk"),
                "delete": self._operation(
                    schema, "deleteMany", body=self._body(schema, "deleteMany"), name="deleteBulk"
                ),
            },
        )
        for op, operation in self._catalog.items():
            if op in _BY_METHOD:
                continue
            post = self._operation(schema, op, body=self._body(schema, op))
            if "id" in operation.needs:
                yield f"{root}/{{id}}/{op}", {**one, "post": post}
            else:
                yield f"{root}/{op}", {"post": post}

    def _operation(
        self, schema: EntitySchema, op: str, *, body: Json | None = None, status: str = "200", name: str = ""
    ) -> Json:
        operation = self._catalog[op]
        found: Json = {
            "operationId": f"{name or op}_{schema.name}",
            "tags": [schema.name],
            "parameters": [
                _ref("parameters", parameter)
                for parameter in (*sorted(coerce.accepted(operation)), *conditions.taken(operation))
            ],
            "responses": {
                status: {"description": "Done.", "content": _content(_answer(schema, operation))},
                "default": _ref("responses", "Error"),
            },
        }
        if operation.__doc__:
            found["summary"] = operation.__doc__.split("\n", 1)[0]
        if body is not None:
            found["requestBody"] = {"content": _content(body)}
        return found

    def _body(self, schema: EntitySchema, op: str) -> Json:
        operation = self._catalog[op]
        known = {**_MEMBERS, "data": _ref("schemas", f"{schema.name}Patch")}
        members = [name for name in operation.needs + operation.takes if name != "id"]
        return {"type": "object", "properties": {name: known.get(name, {}) for name in members}}


def _components(schema: EntitySchema) -> Json:
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


def _answer(schema: EntitySchema, operation: type[Operation]) -> Json:
    row = _ref("schemas", schema.name)
    data: Mapping[Result, Json] = {
        Result.ROW: {"anyOf": [row, {"type": "null"}]},
        Result.ROWS: {"type": "array", "items": row if operation.op() != "aggregate" else {"type": "object"}},
        Result.DELETED: {"type": "boolean"},
        Result.COUNT: {"type": "integer"},
    }
    return {
        "type": "object",
        "properties": {"status": {"const": "ok"}, "data": data[operation.result], "metadata": {"type": "object"}},
        "required": ["status"],
    }


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}


_ERROR: Json = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {
        "status": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
                    },
                },
            },
        },
    },
}
