"""Every schema that a project may have gives a GraphQL schema that is valid, whatever things are called in it;
and values are read by the rules that the engine of GraphQL has."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    Undefined,
    is_input_type,
    parse_type,
    print_schema,
    type_from_ast,
    validate_schema,
)
from graphql.utilities import coerce_input_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import COMMANDS
from octonet.kernel import schema_parse
from octonet.kernel.value_types import Misfit
from projections import QUERIES
from transports.engine.graphql import accept
from transports.engine.graphql.api import Api, Apis
from transports.engine.graphql.settings import GraphqlSettings
from transports.engine.graphql.values import Readers

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "tests" / "conformance" / "library.json"
CATALOG = {**QUERIES, **COMMANDS}


def api(*entities: dict[str, Any]) -> Api:
    whole = [{"collection": f"rows{n}", "fields": {}, **entity} for n, entity in enumerate(entities)]
    return Api(CATALOG, schema_parse.parse(json.dumps(whole)), GraphqlSettings())


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    "entities",
    [
        [],
        [{"name": "Bare"}],
        [{"name": name} for name in ("Query", "Mutation", "Subscription", "String", "JSON", "Event", "PageInfo")],
        [{"name": name} for name in ("User", "UserInput", "UserWhere", "UserEdge", "UserEvent", "UserConnection")],
        [{"name": name} for name in ("User", "Users", "UserOne", "UserCount", "user", "UserEvents", "events")],
        [{"name": "Word", "fields": dict.fromkeys(("class", "and", "or", "None", "self", "on", "true", "type"), TEXT)}],
        [{"name": "Key", "fields": {"boss": TEXT, "bossId": TEXT}, "relations": {
            "bosses": {"type": "many-to-one", "target": "Key"},
            "staff": {"type": "many-to-many", "target": "Key", "through": "key_staff"},
            "chief": {"type": "many-to-one", "target": "Key", "joinColumn": "chief_id"},
        }}],
        [{"name": "Clock", "fields": {"createdAt": {"type": "date"}, "x": {"type": "json"}}, "timestamps": True}],
        [{"name": "Shy", "fields": {"password": TEXT, "pin": {"type": "string", "sensitive": True}}}],
        [{"name": "Many", "fields": {f"f{n}": {"type": kind} for n, kind in enumerate(
            ("string", "text", "number", "boolean", "date", "json", "array"))}}],
    ],
)  # fmt: skip
def test_whatever_is_declared_gives_a_valid_schema(entities: list[dict[str, Any]]) -> None:
    made = api(*entities)
    assert validate_schema(made.schema) == []
    assert (
        "password" not in print_schema(made.schema).split("type Shy")[-1].split("}")[0]
        if "Shy" in print_schema(made.schema)
        else True
    )


def test_the_types_of_values_are_those_of_the_fields() -> None:
    made = api({"name": "All", "fields": {
        "s": {"type": "string", "required": True}, "n": {"type": "number"}, "b": {"type": "boolean"},
        "d": {"type": "date"}, "j": {"type": "json"}, "a": {"type": "array"},
        "an": {"type": "array", "arrayOf": "number"},
        "ae": {"type": "array", "arrayOf": {"kind": "embedded", "fields": {"x": {"type": "string"}}}},
    }})  # fmt: skip
    body = print_schema(made.schema).split("type All {")[1].split("}")[0].split()
    assert body == [
        "id:", "ID!", "s:", "String!", "n:", "Float", "b:", "Boolean", "d:", "DateTime", "j:", "JSON", "a:", "[JSON]",
        "an:", "[Float]", "ae:", "[JSON]", "_version:", "Int!",
    ]  # fmt: skip


async def test_projects_with_the_same_schema_share_what_is_made_of_it() -> None:
    apis = Apis(CATALOG, GraphqlSettings())
    one, other = (schema_parse.parse(LIBRARY.read_text()) for _ in range(2))
    found = await asyncio.gather(apis.of(one), apis.of(other), apis.of(one))
    assert len({id(each) for each in found}) == 1
    assert apis.known(other) is found[0]


_MADE = Api(CATALOG, schema_parse.parse(LIBRARY.read_text()), GraphqlSettings())
_TYPES = (
    "String", "ID", "Float", "Int", "Boolean", "JSON", "String!", "[String]", "[ID!]!", "[[Int]]", "AuthorWhere",
    "AuthorInput!", "[AuthorOrder!]", "StringFilter", "[EventKind!]",
)  # fmt: skip
_KEYS = st.sampled_from(
    ["id", "name", "rating", "active", "keywords", "profile", "and", "or", "eq", "in", "exists", "x"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, 2.0, 2**31, 2**53, "", "x", "1", "ASC"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(_TYPES), value=_values)
def test_values_are_read_as_the_engine_reads_them(name: str, value: object) -> None:
    type_ = type_from_ast(_MADE.schema, parse_type(name))
    assert is_input_type(type_)
    wanted = coerce_input_value(value, type_)
    read = Readers().of(type_)
    if wanted is Undefined:
        with pytest.raises(Misfit):
            read(value)
    else:
        assert read(value) == wanted


def test_no_member_of_an_input_is_required() -> None:
    inputs = [type_ for type_ in _MADE.schema.type_map.values() if isinstance(type_, GraphQLInputObjectType)]
    assert inputs
    assert all(not str(field.type).endswith("!") for type_ in inputs for field in type_.fields.values())


@given(st.text(max_size=60))
def test_any_accept_header_gives_one_of_the_forms_or_none(header: str) -> None:
    assert accept.form(header) in (accept.RESPONSE, accept.LEGACY, "")


@pytest.mark.parametrize(
    ("header", "offered", "wanted"),
    [
        ("text/html;q=0.9, */*;q=0.1", ("a/b", "text/html"), "text/html"),
        ("text/*", ("a/b", "text/html"), "text/html"),
        ("text/*;q=0, */*", ("text/html", "a/b"), "a/b"),
        ("a/b;q=0.2, text/html;q=0.3", ("a/b", "text/html"), "text/html"),
        ("a/b;q=nonsense", ("a/b",), ""),
        (";;,,", ("a/b",), "a/b"),
    ],
)
def test_the_offer_that_is_liked_most_wins(header: str, offered: tuple[str, ...], wanted: str) -> None:
    assert accept.best(header, offered) == wanted


def test_the_engine_is_loaded_by_nobody_who_does_not_ask() -> None:
    check = (
        "import sys; from octonet.transport import load; load('graphql'); "
        "print([name for name in sys.modules if name.split('.')[0] in ('graphql', 'strawberry')])"
    )
    loaded = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
