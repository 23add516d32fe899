"""The tools of one entity: what a model is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family, Operation
from octonet.kernel.schema import EntitySchema
from transports.engine.mcp import tool_names, tool_shapes
from transports.engine.shapes import Json

_VERBS: Final[Mapping[str, str]] = {
    "findAll": "List {entity} rows",
    "findOne": "Find the first {entity} row",
    "findById": "Get one {entity} row by its id",
    "count": "Count {entity} rows",
    "search": "Search {entity} rows for a text",
    "aggregate": "Aggregate {entity} rows",
    "create": "Create one {entity} row",
    "update": "Change one {entity} row",
    "upsert": "Change the {entity} row that matches, or add one",
    "delete": "Delete one {entity} row",
    "updateMany": "Change every {entity} row that matches",
    "deleteMany": "Delete every {entity} row that matches",
    "increment": "Add to a number of one {entity} row",
    "addToSet": "Add an element to a list of one {entity} row",
    "pull": "Remove an element from a list of one {entity} row",
}
"""What is better said with the entity in it; an operation that is not here is described by its own words alone."""
_ADDING: Final = frozenset({"create", "addToSet", "increment"})
"""Commands that lose nothing that was there."""
_DIFFERENT_EACH_TIME: Final = frozenset({"create", "increment"})


Named: TypeAlias = tuple[str, type[Operation], EntitySchema]
"""The name of a tool, and what it does to which entity."""


class Tool(msgspec.Struct, frozen=True):
    """A tool in the protocol's words."""

    name: str
    operation: type[Operation]
    schema: EntitySchema
    described: bytes
    """JSON text."""


def named(schema: EntitySchema, catalog: Mapping[str, type[Operation]], project: ProjectName | None) -> Iterator[Named]:
    """The tools of an entity, one for each operation. `project`: where it is not the one that was connected to. One
    whose name would be longer than the protocol allows is left out; it is there for whoever connects to its project."""
    for op, operation in catalog.items():
        name = tool_names.spell(schema.name, op, project)
        if len(name) <= tool_names.LONGEST:
            yield name, operation, schema


def make(name: str, operation: type[Operation], schema: EntitySchema, project: ProjectName | None) -> Tool:
    """One of them."""
    return Tool(name, operation, schema, msgspec.json.encode(_described(name, schema, operation, project)))


def title(schema: EntitySchema, operation: type[Operation]) -> str:
    """What the tool is about, in a few words."""
    return _VERBS.get(operation.op(), f"{operation.op()} of {{entity}}").format(entity=schema.name)


def _described(name: str, schema: EntitySchema, operation: type[Operation], project: ProjectName | None) -> Json:
    said = title(schema, operation)
    where = "" if project is None else f" in project {project}"
    more = (operation.__doc__ or "").partition("\n")[0].strip()
    return {
        "annotations": _annotations(operation),
        "description": f"{said}{where}. {more}".strip(),
        "inputSchema": tool_shapes.given(schema, operation),
        "name": name,
        "outputSchema": tool_shapes.told(schema, operation),
        "title": said,
    }


def _annotations(operation: type[Operation]) -> Json:
    op, reads = operation.op(), operation.family is Family.READ
    return {
        "destructiveHint": not reads and op not in _ADDING,
        "idempotentHint": reads or op not in _DIFFERENT_EACH_TIME,
        "openWorldHint": False,
        "readOnlyHint": reads,
    }
