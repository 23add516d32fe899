"""Describes a project's REST door as an OpenAPI 3.1 document, made from its schema and the catalog of operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from octonet import __version__
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Operation
from octonet.kernel.schema import EntitySchema, Schemas
from transports.engine import coerce, conditions, shapes
from transports.engine.made_once import MadeOnce
from transports.engine.shapes import Json

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
    "versions": ("Whether rows carry their versions, as _version.", {"schema": {"type": "boolean"}}),
    "cursor": ("Where the page before ended: its metadata.cursor.", {"schema": {"type": "string"}}),
    "confirm": ("Says that the operation may touch every row.", {"schema": {"type": "string", "enum": ["all"]}}),
    "q": ("The text to look for.", {"schema": {"type": "string"}}),
    "query": ("The same as q.", {"schema": {"type": "string"}}),
    "fields": ("The columns to search, comma-separated.", {"schema": {"type": "string"}}),
    "asOf": (
        "A position, or an ISO-8601 time: the answer is as it was right after it.",
        {"schema": {"type": "string"}},
    ),
}
_BY_METHOD = frozenset({"findAll", "create", "findById", "update", "delete", "findOne", "count"})
_ID_PARAMETER: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 64}}


class Description:
    """Writes the documents, each schema's once."""

    def __init__(self, catalog: Mapping[str, type[Operation]], path: str) -> None:
        self._catalog = catalog
        self._path = path
        self._written = MadeOnce(lambda project, schemas: msgspec.json.encode(self._document(project, schemas)))

    def document(self, project: ProjectName, schemas: Schemas) -> bytes:
        """The project's OpenAPI document, JSON text."""
        return self._written.of(project, schemas)

    def _document(self, project: ProjectName, schemas: Schemas) -> Json:
        paths: Json = {}
        components: Json = {"Error": _ERROR}
        for schema in schemas.entities.values():
            paths |= self._paths(schema)
            components |= shapes.entity(schema)
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
        yield f"{root}/{{id}}/history", {**one, "get": _history(schema)}
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
        known = {**shapes.MEMBERS, "data": _ref("schemas", f"{schema.name}Patch")}
        members = [name for name in operation.needs + operation.takes if name != "id"]
        return {"type": "object", "properties": {name: known.get(name, {}) for name in members}}


def _history(schema: EntitySchema) -> Json:
    return {
        "operationId": f"history_{schema.name}",
        "tags": [schema.name],
        "summary": "Every version of a row, the newest first: who made it, when, through which door, what it changed.",
        "parameters": [_ref("parameters", "limit"), _ref("parameters", "cursor")],
        "responses": {
            "200": {"description": "Done.", "content": _content(_HISTORY)},
            "default": _ref("responses", "Error"),
        },
    }


def _answer(schema: EntitySchema, operation: type[Operation]) -> Json:
    return {
        "type": "object",
        "properties": {
            "status": {"const": "ok"},
            "data": shapes.data(schema, operation),
            "metadata": {"type": "object"},
        },
        "required": ["status"],
    }


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _ref(section: str, name: str) -> Json:
    return {"$ref": f"#/components/{section}/{name}"}


_TEXT: Json = {"type": "string"}
_ROW: Json = {"type": ["object", "null"]}
_VERSION: Json = {
    "type": "object",
    "properties": {
        "position": _TEXT,
        "version": {"type": "integer"},
        "fact": {"enum": ["created", "updated", "deleted"]},
        "at": {"type": "string", "format": "date-time"},
        "op": _TEXT,
        "command": _TEXT,
        "by": {"type": "object", "properties": {"key": _TEXT, "account": _TEXT, "user": _TEXT}},
        "transport": _TEXT,
        "correlation": _TEXT,
        "changed": {"type": "array", "items": _TEXT},
        "changes": {
            "type": "object",
            "additionalProperties": {"type": "object", "properties": {"before": {}, "after": {}}},
        },
        "data": _ROW,
    },
}
_HISTORY: Json = {
    "type": "object",
    "properties": {
        "status": {"const": "ok"},
        "data": {"type": "array", "items": _VERSION},
        "metadata": {"type": "object"},
    },
    "required": ["status"],
}
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
