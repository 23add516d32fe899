"""The router's type: a TypeScript file that gives clients of a project their types, and the list of procedures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Operation
from octonet.kernel.schema import EntitySchema, Schemas
from transports.engine import shapes
from transports.engine.made_once import MadeOnce
from transports.engine.trpc import procedures
from transports.engine.trpc.procedures import WATCH, Kind

FILE: Final = "AppRouter.d.ts"
_HEAD: Final = """\
// The procedures of this project, for createTRPCClient<AppRouter>().
import type {
  TRPCBuiltRouter,
  TRPCDefaultErrorShape,
  TRPCMutationProcedure,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from '@trpc/server';

/** What every entity shares; in a namespace, so that an entity may have any name. */
export declare namespace octonet {
  type Filter<Row> = { [Name in keyof Row]?: unknown } & { $or?: Filter<Row>[]; $and?: Filter<Row>[] };
  type Json = null | boolean | number | string | Json[] | Fields;
  interface Fields {
    [name: string]: Json;
  }
  interface Options {
    sort?: Record<string, 1 | -1>;
    limit?: number;
    skip?: number;
    select?: string[];
    exclude?: string[];
    includeDeleted?: boolean;
    after?: string;
    all?: boolean;
  }
  interface Answer<Data> {
    status: 'ok';
    data: Data;
    metadata?: { count?: number; total?: number; cursor?: string };
    position?: string;
    version?: number;
  }
  interface Watch<Row> {
    filter?: Filter<Row>;
    after?: string;
    lastEventId?: string;
  }
  interface Event<Row> {
    event: 'entity.created' | 'entity.updated' | 'entity.deleted' | 'entity.upserted';
    entity: string;
    id: string;
    version: number;
    data?: Row;
    position: string;
  }
  interface Tracked<Data> {
    id: string;
    data: Data;
  }
  type Query<Input, Output> = TRPCQueryProcedure<{ input: Input; output: Answer<Output>; meta: unknown }>;
  type Mutation<Input, Output> = TRPCMutationProcedure<{ input: Input; output: Answer<Output>; meta: unknown }>;
  type Subscription<Row> = TRPCSubscriptionProcedure<{
    input: Watch<Row> | void;
    output: AsyncIterable<Tracked<Event<Row>>, void, unknown>;
    meta: unknown;
  }>;
}
"""
_ROOT: Final = "{ ctx: object; meta: object; errorShape: TRPCDefaultErrorShape; transformer: false }"
_GIVEN: Final[Mapping[str, str]] = {
    "filter": "octonet.Filter<{row}>",
    "options": "octonet.Options",
    "stages": "octonet.Fields[]",
}
_PLAIN: Final[Mapping[str, str]] = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
}


class RouterTypes:
    """Writes them, each schema's once."""

    def __init__(self, catalog: Mapping[str, type[Operation]]) -> None:
        self._catalog = catalog
        self._written = MadeOnce(lambda _, schemas: "\n".join(self._lines(schemas)) + "\n")

    def listed(self, project: ProjectName, schemas: Schemas) -> bytes:
        """The procedures and the types, as JSON text."""
        found = [
            {"name": f"{entity}.{op}", "type": procedures.kind(operation), "entity": entity, "operation": op}
            for entity in schemas.entities
            for op, operation in self._catalog.items()
        ]
        watched = [
            {"name": f"{entity}.{WATCH}", "type": Kind.SUBSCRIPTION, "entity": entity, "operation": WATCH}
            for entity in schemas.entities
        ]
        return msgspec.json.encode({"procedures": found + watched, "types": self.text(project, schemas)})

    def text(self, project: ProjectName, schemas: Schemas) -> str:
        """The TypeScript file."""
        return self._written.of(project, schemas)

    def _lines(self, schemas: Schemas) -> Iterator[str]:
        yield _HEAD
        for schema in schemas.entities.values():
            for name, shape in shapes.entity(schema).items():
                yield f"export type {name} = {_type(shape)};"
        yield ""
        yield f"export type AppRouter = TRPCBuiltRouter<{_ROOT}, {{"
        for schema in schemas.entities.values():
            yield f"  {schema.name}: {{"
            for op, operation in self._catalog.items():
                how = procedures.kind(operation).capitalize()
                output = _type(shapes.data(schema, operation))
                yield f"    {op}: octonet.{how}<{_input(schema, op, operation)}, {output}>;"
            yield f"    {WATCH}: octonet.Subscription<{schema.name}>;"
            yield "  };"
        yield f"  {WATCH}: octonet.Subscription<octonet.Fields>;"
        yield "}>;"


def _input(schema: EntitySchema, op: str, operation: type[Operation]) -> str:
    given = f"{schema.name}{'Input' if op == 'create' else 'Patch'}"
    members = []
    for name in sorted(operation.accepts() - {"op", "entity"}, key=lambda name: (name not in operation.needs, name)):
        known = _GIVEN.get(name, "").replace("{row}", schema.name)
        kind = given if name == "data" else known or _type(shapes.MEMBERS.get(name, {}))
        members.append(f"{name}{'' if name in operation.needs else '?'}: {kind}")
    text = f"{{ {'; '.join(members)} }}"
    return text if operation.needs else f"{text} | void"


def _type(shape: object) -> str:
    """A JSON Schema of ours as a TypeScript type."""
    assert isinstance(shape, dict)
    if "$ref" in shape:
        return str(shape["$ref"]).rpartition("/")[2]
    if "enum" in shape:
        return " | ".join(msgspec.json.encode(value).decode() for value in shape["enum"])
    if "anyOf" in shape:
        return " | ".join(_type(each) for each in shape["anyOf"])
    kinds = shape.get("type", [])
    told = [_of_kind(kind, shape) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " | ".join(told) or "octonet.Json"


def _of_kind(kind: str, shape: shapes.Json) -> str:
    if kind == "array":
        return f"Array<{_type(shape.get('items', {}))}>"
    if kind != "object":
        return _PLAIN[kind]
    members = shape.get("properties")
    if not isinstance(members, dict):
        return "octonet.Fields"
    required = shape.get("required", [])
    optional = "" if "additionalProperties" not in shape else "?"
    assert isinstance(required, list)
    # Rows are told whole; what is given may leave out what is not required.
    return f"{{ {'; '.join(_member(name, each, optional, required) for name, each in members.items())} }}"


def _member(name: str, shape: object, optional: str, required: list[str]) -> str:
    return f"{name}{'' if name in required else optional}: {_type(shape)}"
