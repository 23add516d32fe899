"""Speaks GraphQL through the client `gql`: a document for each request, its values as variables, typed as the server's
own description of itself says."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from gql import Client, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from graphql import GraphQLObjectType, GraphQLSchema, build_client_schema, get_introspection_query, get_named_type
from graphql import is_leaf_type as is_leaf

from tests.conformance.clients import Call, Json, Place
from tests.conformance.world import LIBRARY

_ENTITIES = {
    name: entity for entity in json.loads(LIBRARY.read_text()) for name in (entity["name"], entity["collection"])
}
_WRITES = ("create", "update", "delete", "upsert", "updateMany", "deleteMany", "increment", "addToSet", "pull")
_TEXT = ("filter", "value")
_EXTENSIONS = ("idempotencyKey", "minPosition")
_CSV = ("relations", "searchFields", "select", "exclude")
_NAMED = {"data": "input", "searchFields": "fields"}
_MADE: dict[str, GraphQLSchema] = {}


@asynccontextmanager
async def enter(place: Place, key: str = "") -> AsyncIterator[Call]:
    """See the package."""
    transport = AIOHTTPTransport(f"{place.url}/graphql", headers={"X-API-Key": key} if key else None)
    async with Client(transport=transport) as session:

        async def execute(request: GraphQLRequest) -> tuple[Json, Json, Json]:
            try:
                found = await session.execute(request, get_execution_result=True)
            except TransportQueryError as refused:
                return refused.errors, refused.data, refused.extensions or {}
            return None, found.data, found.extensions or {}

        async def call(request: dict[str, Json]) -> tuple[str, Json]:
            if place.url not in _MADE:
                errors, data, _ = await execute(GraphQLRequest(get_introspection_query()))
                if errors:
                    return _failed(errors)
                _MADE[place.url] = build_client_schema(data)
            spoken = _Spoken(_MADE[place.url], request)
            errors, data, extensions = await execute(spoken.request())
            return spoken.failed(errors) if errors else ("ok", spoken.told(data, extensions))

        yield call


def _failed(errors: Json) -> tuple[str, Json]:
    first = errors[0]
    told = first["extensions"]
    assert {*first} <= {"message", "locations", "path", "extensions"}
    error = {"message": first["message"], **{name: told[name] for name in ("code", "details") if name in told}}
    return error["code"], {"status": "error", "error": error}


class _Spoken:
    """An OrmRequest as a document."""

    def __init__(self, schema: GraphQLSchema, request: dict[str, Json]) -> None:
        members = dict(request)
        self._op = members.pop("op")
        named = members.pop("entity")
        # What is no name in GraphQL cannot be asked for: as much of it as is, can.
        self._entity = _ENTITIES.get(named, {"name": re.sub(r"\W", "", named)})
        self._schema = schema
        self._extensions = {name: members.pop(name) for name in _EXTENSIONS if name in members}
        options = dict(members.pop("options", {}))
        self._versions = options.pop("versions", False)
        self._arguments = {_NAMED.get(name, name): _value(name, value) for name, value in members.items()}
        self._members = {_NAMED.get(name, name): name for name in members}
        self._members |= {name: f"options.{name}" for name in options}
        self._arguments |= {name: _option(name, value) for name, value in options.items()}
        self._narrow = options.get("select")
        self._without = options.get("exclude", [])
        self._shown = members.get("relations", [])

    def request(self) -> GraphQLRequest:
        """What is sent."""
        home = self._schema.mutation_type if self._op in _WRITES else self._schema.query_type
        assert home is not None
        field = home.fields.get(self._field)
        types = {name: argument.type for name, argument in field.args.items()} if field else {}
        declared = ", ".join(f"${name}: {types.get(name, 'JSON')}" for name in self._arguments)
        given = ", ".join(f"{name}: ${name}" for name in self._arguments)
        kind = "mutation" if self._op in _WRITES else "query"
        opening, arguments = (f"({declared})", f"({given})") if self._arguments else ("", "")
        text = f"{kind} Asked{opening} {{ it: {self._field}{arguments}{self._selection(field)} }}"
        return GraphQLRequest(
            text, variable_values=self._arguments, operation_name="Asked", extensions=self._extensions
        )

    def failed(self, errors: Json) -> tuple[str, Json]:
        """The refusal, its places named as in the request that was spoken."""
        code, told = _failed(errors)
        error = told["error"]
        for argument, member in self._members.items():
            sent, meant = f"$.variables.{argument}", f"$.{member}"
            error["message"] = error["message"].replace(sent, meant)
            for fault in error.get("details", []):
                fault["path"] = fault["path"].replace(sent, meant)
        return code, told

    def told(self, data: Json, extensions: Json) -> Json:
        """The answer as an OrmResponse."""
        found = data["it"]
        told: dict[str, Json] = {"status": "ok", "data": found}
        if isinstance(found, list):
            told["metadata"] = {"count": len(found)}
            if "it" in extensions.get("cursors", {}):
                told["metadata"]["cursor"] = extensions["cursors"]["it"]
        elif self._op == "count":
            told["metadata"] = {"total": found}
        elif self._op in ("updateMany", "deleteMany"):
            told["metadata"] = {"count": found}
            if self._op == "updateMany":
                del told["data"]
        if "position" in extensions:
            told["position"] = extensions["position"]
        if "dryRun" in extensions:
            told["dryRun"] = extensions["dryRun"]["it"]
        if "versions" in extensions:
            told["version"] = extensions["versions"]["it"]
        return told

    @property
    def _field(self) -> str:
        name = self._entity["name"]
        low = name[0].lower() + name[1:]
        if self._op in _WRITES:
            return f"{self._op}{name}{'s' if self._op.endswith('Many') else ''}"
        plain = {"findAll": f"{low}s", "findById": low, "findOne": f"{low}One"}
        return str(plain.get(self._op, f"{low}{self._op.capitalize()}"))

    def _selection(self, field: Json) -> str:
        if field is None:
            return " { id }"
        type_ = get_named_type(field.type)
        return "" if is_leaf(type_) else f" {{ {' '.join(self._fields(type_))} }}"

    def _fields(self, type_: GraphQLObjectType) -> Iterator[str]:
        """The values of a row under the names that rows have on every door."""
        for name, key in _row(type_, self._entity):
            narrowed = self._narrow is None or key in (*self._narrow, "id")
            if key not in self._shown and narrowed and (key not in self._without or key == "id"):
                yield name if name == key else f"{key}: {name}"
        if self._versions:
            yield "_version"
        for name in self._shown:
            if name in type_.fields:
                target = get_named_type(type_.fields[name].type)
                assert isinstance(target, GraphQLObjectType)
                below = _row(target, _ENTITIES[target.name])
                yield f"{name} {{ {' '.join(f'{key}: {field}' for field, key in below)} }}"


def _row(type_: GraphQLObjectType, entity: Json) -> Iterator[tuple[str, str]]:
    relations = entity.get("relations", {})
    for name, field in type_.fields.items():
        if is_leaf(get_named_type(field.type)) and name != "_version":
            key = name.removesuffix("Id") if name.endswith("Id") else name.removesuffix("Ids")
            yield name, key if key in relations else name


def _value(name: str, value: Json) -> Json:
    if name in _TEXT:
        return json.dumps(value)
    return ",".join(value) if name in _CSV else value


def _option(name: str, value: Json) -> Json:
    if name == "sort":
        return json.dumps(value)
    return ",".join(value) if name in _CSV else value
