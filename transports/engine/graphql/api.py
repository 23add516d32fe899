"""A project's schema in GraphQL, and everything that was worked out for it: made once, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec
from graphql import GraphQLObjectType, GraphQLSchema, OperationType, is_input_type, is_introspection_type

from octonet.kernel.operation import Operation as Catalogued
from octonet.kernel.schema import Schemas
from transports.engine.graphql.document import Documents, Operation
from transports.engine.graphql.members import Taken
from transports.engine.graphql.plan import Plan, Planner
from transports.engine.graphql.roots import MUTATION, QUERY, SUBSCRIPTION, Root, branch_arguments, roots
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.shape import shapes
from transports.engine.graphql.types import build

_MOST_ENTITIES: Final = 300
"""Of all schemas that are kept: each entity takes a third of a megabyte. Projects with the same schema share one."""
_HOMES: Final = {
    OperationType.QUERY: QUERY,
    OperationType.MUTATION: MUTATION,
    OperationType.SUBSCRIPTION: SUBSCRIPTION,
}
_PLAN: Final = "plan"


class Api:
    """One schema."""

    def __init__(self, catalog: Mapping[str, type[Catalogued]], schemas: Schemas, settings: GraphqlSettings) -> None:
        self.settings = settings
        self.shapes = shapes(schemas)
        found = roots(catalog, schemas, self.shapes)
        self.schema: GraphQLSchema = build(self.shapes, found)._schema
        _leave_it_to_the_answer(self.schema)
        self.documents = Documents(self.schema, settings)
        self.described: tuple[Operation, msgspec.Raw] | None = None
        """The last operation that asked for the schema, and the answer's data."""
        self._roots: dict[str, dict[str, Root]] = {QUERY: {}, MUTATION: {}, SUBSCRIPTION: {}}
        for root in found:
            self._roots[root.home][root.name] = root
        self._taken: dict[tuple[str, str], Taken] = {}

    @property
    def weight(self) -> int:
        """How many entities it is made of."""
        return len(self.shapes)

    def plan(self, operation: Operation, variables: Mapping[str, object]) -> Plan:
        """What an operation asks for."""
        known = operation.__dict__.get(_PLAN)
        if isinstance(known, Plan):
            return known
        home = _HOMES[operation.kind]
        planner = Planner(self.shapes, operation.fragments, variables, self.taken)
        made = planner.plan(home, self._roots[home], operation.node.selection_set)
        if made.lasting:
            operation.__dict__[_PLAN] = made
        return made

    def taken(self, home: str, field: str, entity: str) -> Taken:
        """What the arguments of a field may be. `entity`: whose columns its filter speaks of."""
        known = self._taken.get((home, field))
        if known is None:
            known = self._taken[home, field] = self._read(home, field, entity)
        return known

    def _read(self, home: str, field: str, entity: str) -> Taken:
        type_ = self.schema.type_map[home]
        assert isinstance(type_, GraphQLObjectType)
        readers = {}
        for name, argument in type_.fields[field].args.items():
            assert is_input_type(argument.type)
            readers[name] = self.documents.reader(argument.type)
        root = self._roots.get(home, {}).get(field)
        shape = self.shapes.get(entity)
        if root is not None:
            return Taken(root.arguments, readers, shape.schema if shape else None)
        assert shape is not None
        return Taken(branch_arguments(shape), readers, shape.schema)


class Apis:
    """The schemas that are in use, by what they were read from."""

    def __init__(self, catalog: Mapping[str, type[Catalogued]], settings: GraphqlSettings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._kept: dict[str, Api] = {}
        self._making: dict[str, asyncio.Task[Api]] = {}

    def known(self, schemas: Schemas) -> Api | None:
        """The schema of these entities, if it was made."""
        return self._kept.get(schemas.digest)

    async def of(self, schemas: Schemas) -> Api:
        """The schema of these entities. It is made beside the loop: many entities take a while."""
        digest = schemas.digest
        known = self._kept.get(digest)
        if known is not None:
            return known
        making = self._making.get(digest)
        if making is None:
            making = asyncio.create_task(asyncio.to_thread(Api, self._catalog, schemas, self._settings))
            self._making[digest] = making
            making.add_done_callback(lambda done: self._made(digest, done))
        # Whoever hangs up while it is made does not stop it for the others.
        return await asyncio.shield(making)

    def _made(self, digest: str, done: asyncio.Task[Api]) -> None:
        self._making.pop(digest, None)
        if not done.cancelled() and done.exception() is None:
            self._kept[digest] = done.result()
            while len(self._kept) > 1 and sum(api.weight for api in self._kept.values()) > _MOST_ENTITIES:
                del self._kept[next(iter(self._kept))]


def _leave_it_to_the_answer(schema: GraphQLSchema) -> None:
    """No field resolves itself: answers are ready, in the shape in which they go out."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not is_introspection_type(type_):
            for field in type_.fields.values():
                field.resolve = None
