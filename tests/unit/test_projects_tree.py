"""A projects tree is read whole, and every fault is told at its path."""

from __future__ import annotations

import json

import pytest

from octonet.kernel.errors import Invalid, ValidationError
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse as parse_schema
from octonet.kernel.storage import Strategy
from octonet.projects_tree import RESERVED, ProjectSettings, parse

NOTE = {"name": "Note", "collection": "notes", "fields": {"text": {"type": "text"}}}
DIALECTS = ("sqlite", "postgres")


def read(paths: str) -> Schemas:
    if "absent" in paths:
        raise Invalid(f"the schema file {paths} cannot be read: No such file or directory")
    broken = {**NOTE, "fields": {"text": {"type": "texd"}}}
    return parse_schema(json.dumps([broken if "broken" in paths else NOTE]))


def projects(tree: object) -> list[ProjectSettings]:
    return parse(json.dumps(tree), DIALECTS, read)


def faults(text: str) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        parse(text, DIALECTS, read)
    assert caught.value.code == "INVALID_PROJECTS_TREE"
    return [fault.path for fault in caught.value.faults]


def test_a_project_is_read_as_the_contract_spells_it() -> None:
    shop = {
        "dialect": "postgres",
        "uri": "postgresql://me@db/shop",
        "schemas": "schemas/shop.json",
        "schemaStrategy": "validate",
        "pool": {"min": 1, "max": 9},
        "tablePrefix": "s_",
        "description": "the shop",
        "showSql": True,
        "formatSql": False,
    }
    (found,) = projects({"shop": shop})
    assert (found.name, found.dialect, found.uri) == ("shop", "postgres", "postgresql://me@db/shop")
    assert (found.strategy, found.pool_size, found.table_prefix, found.show_sql) == (Strategy.VALIDATE, 9, "s_", True)
    assert list(found.schemas.entities) == ["Note"]


def test_what_is_left_out_has_a_default() -> None:
    (found,) = projects({"shop": {}})
    assert (found.dialect, found.uri, found.strategy, found.pool_size) == ("sqlite", "", Strategy.UPDATE, 4)
    assert list(found.schemas.entities) == ["Note"]


def test_entities_may_stand_in_the_tree_itself() -> None:
    (found,) = projects({"shop": {"schemas": [NOTE]}})
    assert list(found.schemas.entities) == ["Note"]


def test_every_fault_is_told_at_once_with_its_path() -> None:
    tree = {
        "Shop": {},
        "health": {},
        "a": 7,
        "b": {"dialect": "dbase", "shemas": "x", "pool": {"max": 0, "most": 1}, "schemaStrategy": "drop"},
        "c": {"dialect": "postgres", "schemas": "absent.json", "showSql": "yes"},
        "d": {"schemas": "broken.json", "uri": 5, "pool": 3},
        "e": {"schemas": [{**NOTE, "fields": {"x": {"type": "?"}}}]},
        "f": {"schemas": ["x.json", NOTE]},
    }
    assert set(faults(json.dumps(tree))) == {
        "$.Shop",
        "$.health",
        "$.a",
        "$.b.dialect",
        "$.b.uri",
        "$.b.shemas",
        "$.b.pool.max",
        "$.b.pool.most",
        "$.b.schemaStrategy",
        "$.c.uri",
        "$.c.schemas",
        "$.c.showSql",
        "$.d.schemas[0].fields.text.type",
        "$.d.uri",
        "$.d.pool",
        "$.e.schemas[0].fields.x.type",
        "$.f.schemas",
    }


def test_a_project_that_stands_there_twice_is_a_fault() -> None:
    assert faults('{"shop": {}, "shop": {}}') == ["$.shop"]


def test_two_projects_cannot_share_their_tables() -> None:
    same = {"uri": "sqlite:///x.db"}
    assert faults(json.dumps({"a": same, "b": same})) == ["$.b.uri"]
    assert len(projects({"a": same, "b": {**same, "tablePrefix": "b_"}})) == 2


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"a": NaN'])
def test_what_is_no_object_is_no_tree(text: str) -> None:
    with pytest.raises(ValidationError):
        parse(text, DIALECTS, read)


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_no_project_has_the_name_of_a_door(name: str) -> None:
    assert faults(json.dumps({name: {}}))
