"""Whatever a document asks for: the answer that is made of whole rows is the one that GraphQL's own executor makes
field by field, over the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from graphql import GraphQLResolveInfo, build_schema, execute, parse, print_schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import COMMANDS
from octonet.access.gate import insider
from octonet.gateway import Gateway
from octonet.kernel import schema_parse
from octonet.kernel.errors import Fault, NotFound
from octonet.kernel.operation import Answer, Limits, Request
from octonet.kernel.schema import RelationKind
from octonet.project import Project
from octonet.reader import Read
from projections import QUERIES
from transports.engine.graphql.api import Api
from transports.engine.graphql.completion import completed, settled
from transports.engine.graphql.run import Running
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.shape import Shape
from transports.engine.graphql.wanted import NO_DEMANDS

LIBRARY = Path(__file__).parents[2] / "conformance" / "library.json"
SCHEMAS = schema_parse.parse(LIBRARY.read_text())
API = Api({**QUERIES, **COMMANDS}, SCHEMAS, GraphqlSettings(depth=12, aliases=10_000, cost=10**9))
_TAGS = [{"id": f"t{n}", "label": f"tag {n}"} for n in range(3)]
_BOOKS = [{"id": f"b{n}", "title": f"book {n}", "pages": n * 10 or None, "author": f"a{n % 3}"} for n in range(6)]
_BLANK = dict.fromkeys(name for name in SCHEMAS.entities["Author"].columns if name not in ("password", "pin"))
_AUTHORS: list[dict[str, Any]] = [
    {
        **_BLANK, "id": f"a{n}", "email": f"{n}@x.org", "rating": n, "score": 1.5 if n else None,
        "keywords": ["k", None] if n else None, "profile": {"n": [n, None]}, "mentor": f"a{n - 1}" if n else None,
        "tags": [f"t{m}" for m in range(n)], "notes": [], "createdAt": "2024-01-02T03:04:05.678Z",
    }
    for n in range(4)
]  # fmt: skip
ROWS: dict[str, list[dict[str, Any]]] = {"Author": _AUTHORS, "Book": _BOOKS, "Tag": _TAGS, "Note": [], "Loan": []}
for _row in (*_AUTHORS, *_BOOKS, *_TAGS):
    _row["_version"] = 1


class Shelf:
    """A gateway over these rows that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def prepare(self, _: str, request: Request, __: object) -> Request:
        return request

    async def ask(self, request: Request, _: object) -> Read:
        return await self.execute("default", request, None)

    async def execute(self, _: str, request: Request, __: object) -> Read:
        self.asked.append(request)
        schema = SCHEMAS.entities[request.entity]
        found = [dict(row) for row in ROWS[schema.name] if _fits(request.filter, row)]
        if request.op == "count":
            return Read(QUERIES["count"], schema, Answer(count=len(found)))
        if request.op == "findById":
            row = next((row for row in found if row["id"] == request.id), None)
            return Read(QUERIES["findById"], schema, Answer(row=row, version=int(row is not None)))
        options = request.options if isinstance(request.options, dict) else {}
        return Read(QUERIES["findAll"], schema, Answer(rows=found[: options.get("limit", 100)]))


def _fits(where: object, row: Mapping[str, Any]) -> bool:
    if not isinstance(where, dict):
        return True
    ((column, condition),) = where.items()
    return row[column] in condition["$in"]


async def _answered(query: str, variables: dict[str, Any], shelf: Shelf, slowly: bool = False) -> dict[str, Any]:
    operation = (await API.documents.read(query)).operation("")
    values = operation.values(variables)
    home = cast(Project, SimpleNamespace(name="default", limits=Limits(), schemas=SCHEMAS))
    running = Running(cast(Gateway, shelf), API, home, insider("graphql"), values)
    plan = API.plan(operation, values)
    found = await running.run(plan, running.ask(plan, NO_DEMANDS, False), False)
    if not slowly and not running.odd:
        return {"data": found}
    data, errors = completed(API.schema, operation, variables, found)
    return {"data": data, "errors": errors} if errors else {"data": data}


class Reference:
    """GraphQL's executor with a resolver for each field, as one would write it by hand."""

    def __init__(self) -> None:
        self._schema = build_schema(print_schema(API.schema))

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        found: Any = execute(self._schema, parse(query), {}, None, variables, field_resolver=self._resolve)
        assert not found.errors, found.errors
        return {"data": found.data}

    def _resolve(self, source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        shape = next((shape for shape in API.shapes.values() if shape.title == info.parent_type.name), None)
        if shape is not None:
            return self._of_row(shape, source, info.field_name, arguments)
        if info.parent_type.name != "Query":
            return source[info.field_name]
        if info.field_name.endswith("Count"):
            return len(ROWS["Author"])
        if info.field_name.endswith("Connection"):
            return {"edges": [{"node": row} for row in _AUTHORS], "nodes": _AUTHORS, "totalCount": len(_AUTHORS),
                    "pageInfo": {"hasNextPage": False, "hasPreviousPage": False}}  # fmt: skip
        if "id" in arguments:
            return next((row for row in _AUTHORS if row["id"] == arguments["id"]), None)
        return _AUTHORS[: arguments.get("limit", 100)]

    def _of_row(self, shape: Shape, row: Any, name: str, arguments: dict[str, Any]) -> Any:
        if name in shape.leaves:
            return row[shape.leaves[name].column]
        relation = shape.branches[name].relation
        rows = ROWS[relation.target]
        if relation.owns_column:
            return next((each for each in rows if each["id"] == row[relation.column]), None)
        if relation.kind is RelationKind.ONE_TO_MANY:
            found = [each for each in rows if each[relation.column] == row["id"]]
        else:
            found = [each for each in rows if each["id"] in row[relation.name]]
        skip = arguments.get("skip", 0)
        return found[skip : skip + (arguments.get("limit") or 100)]


REFERENCE = Reference()
_CONDITIONS = st.sampled_from(["", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @skip(if: $no)"])


def _selection(entity: str, depth: int) -> st.SearchStrategy[str]:
    shape = API.shapes[entity]
    parts = [st.builds("{}{}".format, st.sampled_from(["__typename", *shape.leaves]), _CONDITIONS)]
    for branch in shape.branches.values() if depth else ():
        arguments = st.sampled_from(["", "", "(limit: 1)", "(skip: 1)"]) if branch.many else st.just("")
        below = _selection(branch.relation.target, depth - 1)
        parts.append(st.builds("{}{}{} {}".format, st.just(branch.name), arguments, _CONDITIONS, below))
    some = st.lists(st.one_of(parts), max_size=4, unique_by=lambda text: text.split("(")[0].split(" ")[0])
    plain = some.map(lambda found: " ".join(["id", *found]))
    inline = st.builds("{{ {} ... on {} {{ __typename k: id }} }}".format, plain, st.just(entity))
    return st.one_of(plain.map("{{ {} }}".format), inline)


def _fields(depth: int) -> st.SearchStrategy[str]:
    rows = _selection("Author", depth)
    connected = "authorsConnection {{ edges {{ node {} }} totalCount pageInfo {{ hasNextPage __typename }} }}"
    return st.one_of(
        rows.map("authors {}".format),
        rows.map("authors(limit: $n) {}".format),
        rows.map('author(id: "a2") {}'.format),
        rows.map('author(id: "nobody") {}'.format),
        st.sampled_from(["authorCount", "__typename"]),
        rows.map(connected.format),
        rows.map("authorsConnection {{ __typename nodes {} }}".format),
    )


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(fields=st.lists(_fields(2), min_size=1, max_size=4), n=st.integers(1, 4))
def test_rows_made_at_once_are_rows_made_field_by_field(fields: list[str], n: int) -> None:
    selected = " ".join(f"f{i}: {field}" for i, field in enumerate(fields))
    used = 'u: author(id: "a0") { id @skip(if: $yes) x: id @include(if: $no) y: id } v: authors(limit: $n) { id }'
    query = f"query ($yes: Boolean!, $no: Boolean!, $n: Int) {{ {selected} {used} }}"
    variables = {"yes": True, "no": False, "n": n}

    async def both() -> tuple[dict[str, Any], dict[str, Any]]:
        return await _answered(query, variables, Shelf()), await _answered(query, variables, Shelf(), slowly=True)

    quick, slow = asyncio.run(both())
    wanted = REFERENCE.answer(query, variables)
    assert list(_in_order(quick)) == list(_in_order(wanted))
    assert slow == quick


def _in_order(value: Any) -> Any:
    """Everything, keys in their order."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _in_order(item)
    elif isinstance(value, list):
        yield len(value)
        for item in value:
            yield from _in_order(item)
    else:
        # The reference writes every number as a fraction.
        whole = isinstance(value, float) and value.is_integer()
        yield (int, int(value)) if whole else (type(value), value)


@settings(max_examples=200, deadline=None, database=None)
@given(failing=st.lists(st.sampled_from(["", "a", "b", "c", "d"]), max_size=3))
def test_what_failed_is_told_as_the_engine_tells_it(failing: list[str]) -> None:
    fields = {"a": 'author(id: "a0") { id }', "b": "authors { id }", "c": "authorCount", "d": 'author(id: "x") { id }'}
    query = "{ t: __typename " + "\n".join(f"{key}: {field}" for key, field in fields.items()) + " }"

    async def told() -> tuple[object, object]:
        operation = (await API.documents.read(query)).operation("")
        plan = API.plan(operation, {})
        problems = {key: NotFound(f"no {key}", faults=(Fault("$.x", key),)) for key in failing if key}
        answer = {"t": "Query", "a": {"id": "a0"}, "b": [{"id": "a1"}], "c": 3, "d": None, **problems}
        return settled(plan, answer), completed(API.schema, operation, {}, answer)

    ours, theirs = asyncio.run(told())
    assert ours == theirs


async def test_each_relation_of_each_level_is_one_query() -> None:
    query = """{ authors { id mentor { id mentor { email tags { label } } books { title } } books { author { id } }
                           tags { label } again: tags(limit: 1) { id } } }"""
    shelf = Shelf()
    await _answered(query, {}, shelf)
    assert [request.entity for request in shelf.asked].count("Author") == 4
    assert sorted(request.entity for request in shelf.asked) == ["Author"] * 4 + ["Book"] * 2 + ["Tag"] * 3


async def test_no_more_columns_are_read_than_are_shown() -> None:
    shelf = Shelf()
    await _answered("{ authors { name mentor { email } tagsIds } }", {}, shelf)
    assert [cast(Any, request.options)["select"] for request in shelf.asked] == [
        ["id", "mentor", "name", "tags"], ["email", "id"],
    ]  # fmt: skip


async def test_a_value_that_must_be_there_and_is_not_makes_null_of_what_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(_AUTHORS[1], "email", None)
    found = await _answered('{ a: author(id: "a1") { id email } b: author(id: "a0") { email } }', {}, Shelf())
    assert found["data"] == {"a": None, "b": {"email": "0@x.org"}}
    (error,) = found["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["a", "email"], "VALUE_MISSING")


async def test_a_row_of_many_without_a_value_that_must_be_there_is_told_by_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(_AUTHORS[2], "email", None)
    found = await _answered("{ authors { id email } }", {}, Shelf())
    assert found["data"] is None
    assert [error["path"] for error in found["errors"]] == [["authors", 2, "email"]]
