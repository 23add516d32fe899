"""What there is to call: the reference's list of methods, and the OpenRPC document behind ``rpc.discover``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet import __version__
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Operation
from octonet.kernel.schema import EntitySchema, Schemas
from transports.engine import shapes
from transports.engine.made_once import MadeOnce
from transports.engine.shapes import Json

DISCOVER: Final = "rpc.discover"
_OPENRPC: Final = "1.3.2"


class Discovery:
    """Writes the documents, each schema's once."""

    def __init__(self, catalog: Mapping[str, type[Operation]], path: str) -> None:
        self._catalog = catalog
        self._path = path
        self._written = MadeOnce(lambda project, schemas: msgspec.json.encode(self._document(project, schemas)))

    def methods(self, schemas: Schemas) -> bytes:
        """The names of the methods."""
        names = [f"{entity}.{op}" for entity in schemas.entities for op in self._catalog]
        return msgspec.json.encode({"jsonrpc": "2.0", "methods": names})

    def document(self, project: ProjectName, schemas: Schemas) -> bytes:
        """The OpenRPC document, JSON text."""
        return self._written.of(project, schemas)

    def _document(self, project: ProjectName, schemas: Schemas) -> Json:
        entities = schemas.entities.values()
        components: Json = {}
        for schema in entities:
            components |= shapes.entity(schema)
        root = "" if project == DEFAULT_PROJECT else f"/{project}"
        return {
            "openrpc": _OPENRPC,
            "info": {"title": f"Octonet: {project}", "version": __version__},
            "servers": [{"name": "this one", "url": root + self._path}],
            "methods": [
                _method(schema, op, operation) for schema in entities for op, operation in self._catalog.items()
            ],
            "components": {"schemas": components},
        }


def _method(schema: EntitySchema, op: str, operation: type[Operation]) -> Json:
    given = f"{schema.name}{'Input' if op == 'create' else 'Patch'}"
    known = {**shapes.MEMBERS, "data": {"$ref": f"#/components/schemas/{given}"}}
    more = sorted(operation.accepts() - {"op", "entity", *operation.needs, *operation.takes})
    members = (*operation.needs, *operation.takes, *more)
    found: Json = {
        "name": f"{schema.name}.{op}",
        "tags": [{"name": schema.name}],
        # By position only what the operation itself names can be given; the rest goes by name.
        "paramStructure": "either",
        "params": [
            {"name": name, "required": name in operation.needs, "schema": known.get(name, {})} for name in members
        ],
        "result": {
            "name": "answer",
            "schema": {
                "type": "object",
                "properties": {
                    "data": shapes.data(schema, operation),
                    "metadata": {"type": "object"},
                    "position": {"type": "string"},
                    "version": {"type": "integer"},
                },
            },
        },
    }
    if operation.__doc__:
        found["summary"] = operation.__doc__.split("\n", 1)[0]
    return found
