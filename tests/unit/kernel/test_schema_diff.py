"""What two schemas differ in is told once, at its place, with what it does to rows that are there."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octonet.kernel import schema_parse
from octonet.kernel.difference import Change, Effect, comparison
from octonet.kernel.errors import ValidationError
from octonet.kernel.schema import FieldType, Schemas
from octonet.kernel.schema_diff import diff
from tests.unit.shop import ENTITIES, SCHEMAS

Document = list[dict[str, Any]]
USER, ORDER, GROUP, DOG = range(4)


def shop(*mutate: Callable[[Document], object]) -> Schemas:
    document: Document = copy.deepcopy(ENTITIES)
    for each in mutate:
        each(document)
    return schema_parse.parse(json.dumps(document))


def fields(at: int, **definitions: object) -> Callable[[Document], object]:
    return lambda document: document[at]["fields"].update(definitions)


def relations(at: int, **definitions: object) -> Callable[[Document], object]:
    return lambda document: document[at].setdefault("relations", {}).update(definitions)


def members(at: int, **values: object) -> Callable[[Document], object]:
    return lambda document: document[at].update(values)


def without(at: int, group: str, name: str) -> Callable[[Document], object]:
    return lambda document: document[at][group].pop(name)


SAFE, MAY_FAIL, LOSES = Effect.SAFE, Effect.MAY_FAIL, Effect.LOSES
TAG = {"name": "Tag", "collection": "tags", "fields": {}}
CUSTOMER = {"type": "many-to-one", "target": "User", "required": True, "fetch": "eager"}
BOSS = {"type": "many-to-one", "target": "User", "joinColumn": "bossId", "select": ["name"]}

MUTATIONS: list[tuple[Callable[[Document], object], str, Change, Effect]] = [
    (lambda d: d.append(TAG), "$.Tag", Change.ENTITY_ADDED, SAFE),
    (lambda d: d.pop(DOG), "$.Dog", Change.ENTITY_REMOVED, LOSES),
    (members(DOG, name="Hound"), "$.Hound", Change.ENTITY_RENAMED, SAFE),
    (members(DOG, collection="hounds"), "$.Dog.collection", Change.COLLECTION_RENAMED, SAFE),
    (fields(GROUP, note={"type": "text"}), "$.Group.fields.note", Change.FIELD_ADDED, SAFE),
    (
        fields(GROUP, note={"type": "text", "required": True, "default": "-"}),
        "$.Group.fields.note", Change.FIELD_ADDED, SAFE,
    ),
    (
        fields(GROUP, since={"type": "date", "required": True, "default": "now"}),
        "$.Group.fields.since", Change.FIELD_ADDED, MAY_FAIL,
    ),
    (fields(GROUP, note={"type": "text", "required": True}), "$.Group.fields.note", Change.FIELD_ADDED, MAY_FAIL),
    (without(GROUP, "fields", "level"), "$.Group.fields.level", Change.FIELD_REMOVED, LOSES),
    (fields(GROUP, level={"type": "text"}), "$.Group.fields.level.type", Change.TYPE_CHANGED, SAFE),
    (fields(GROUP, title={"type": "number"}), "$.Group.fields.title.type", Change.TYPE_CHANGED, MAY_FAIL),
    (fields(GROUP, level={"type": "date"}), "$.Group.fields.level.type", Change.TYPE_CHANGED, LOSES),
    (
        fields(USER, labels={"type": "array", "arrayOf": "number"}),
        "$.User.fields.labels.arrayOf", Change.ELEMENTS_CHANGED, MAY_FAIL,
    ),
    (
        fields(GROUP, title={"type": "string", "required": True}),
        "$.Group.fields.title.required", Change.REQUIRED_ADDED, MAY_FAIL,
    ),
    (
        fields(USER, age={"type": "number", "default": 0, "required": True}),
        "$.User.fields.age.required", Change.REQUIRED_ADDED, SAFE,
    ),
    (fields(USER, name={"type": "string"}), "$.User.fields.name.required", Change.REQUIRED_REMOVED, SAFE),
    (
        fields(GROUP, title={"type": "string", "unique": True}),
        "$.Group.fields.title.unique", Change.UNIQUE_ADDED, MAY_FAIL,
    ),
    (lambda d: d[USER]["fields"]["email"].pop("unique"), "$.User.fields.email.unique", Change.UNIQUE_REMOVED, SAFE),
    (lambda d: d[USER]["fields"]["role"]["enum"].pop(0), "$.User.fields.role.enum", Change.ENUM_NARROWED, MAY_FAIL),
    (
        fields(GROUP, title={"type": "string", "enum": ["a"]}),
        "$.Group.fields.title.enum", Change.ENUM_NARROWED, MAY_FAIL,
    ),
    (lambda d: d[USER]["fields"]["role"]["enum"].append("x"), "$.User.fields.role.enum", Change.ENUM_WIDENED, SAFE),
    (fields(USER, age={"type": "number", "default": 1}), "$.User.fields.age.default", Change.DEFAULT_CHANGED, SAFE),
    (fields(USER, seen={"type": "date"}), "$.User.fields.seen.default", Change.DEFAULT_CHANGED, SAFE),
    (
        fields(GROUP, title={"type": "string", "trim": True}),
        "$.Group.fields.title.trim", Change.SPELLING_CHANGED, SAFE,
    ),
    (
        fields(GROUP, title={"type": "string", "sensitive": True}),
        "$.Group.fields.title.sensitive", Change.SENSITIVE_CHANGED, SAFE,
    ),
    (
        relations(GROUP, owner={"type": "many-to-one", "target": "User"}),
        "$.Group.relations.owner", Change.RELATION_ADDED, SAFE,
    ),
    (
        relations(GROUP, owner={"type": "many-to-one", "target": "User", "required": True}),
        "$.Group.relations.owner", Change.RELATION_ADDED, MAY_FAIL,
    ),
    (without(USER, "relations", "groups"), "$.User.relations.groups", Change.RELATION_REMOVED, LOSES),
    (without(USER, "relations", "orders"), "$.User.relations.orders", Change.RELATION_REMOVED, SAFE),
    (
        relations(ORDER, customer={**CUSTOMER, "type": "one-to-one"}),
        "$.Order.relations.customer.type", Change.RELATION_CHANGED, MAY_FAIL,
    ),
    (
        relations(USER, boss={**BOSS, "target": "Group", "select": []}),
        "$.User.relations.boss.target", Change.RELATION_CHANGED, MAY_FAIL,
    ),
    (
        relations(USER, groups={"type": "many-to-many", "target": "Dog"}),
        "$.User.relations.groups.target", Change.RELATION_CHANGED, LOSES,
    ),
    (
        relations(USER, boss={**BOSS, "joinColumn": "chief"}),
        "$.User.relations.boss.joinColumn", Change.RELATION_CHANGED, LOSES,
    ),
    (
        relations(USER, groups={"type": "many-to-many", "target": "Group", "through": "member"}),
        "$.User.relations.groups.through", Change.RELATION_CHANGED, SAFE,
    ),
    (
        relations(ORDER, customer={**CUSTOMER, "onDelete": "cascade"}),
        "$.Order.relations.customer.onDelete", Change.RELATION_CHANGED, SAFE,
    ),
    (
        relations(USER, boss={**BOSS, "required": True, "onDelete": "cascade"}),
        "$.User.relations.boss.required", Change.REQUIRED_ADDED, MAY_FAIL,
    ),
    (members(GROUP, indexes=[{"fields": ["title"]}]), "$.Group.indexes[0]", Change.INDEX_ADDED, SAFE),
    (
        members(GROUP, indexes=[{"fields": ["title"], "unique": True}]),
        "$.Group.indexes[0]", Change.INDEX_ADDED, MAY_FAIL,
    ),
    (members(GROUP, timestamps=True), "$.Group.timestamps", Change.TIMESTAMPS_ADDED, SAFE),
    (members(USER, timestamps=False), "$.User.timestamps", Change.TIMESTAMPS_REMOVED, LOSES),
    (members(GROUP, softDelete=True), "$.Group.softDelete", Change.SOFT_DELETE_ADDED, SAFE),
    (members(ORDER, softDelete=False), "$.Order.softDelete", Change.SOFT_DELETE_REMOVED, LOSES),
    (members(DOG, discriminatorValue="cat"), "$.Dog.discriminator", Change.DISCRIMINATOR_CHANGED, LOSES),
]  # fmt: skip


@pytest.mark.parametrize(("mutate", "path", "kind", "effect"), MUTATIONS, ids=[f"{m[1]}-{m[2]}" for m in MUTATIONS])
def test_a_single_change_is_told_at_its_place(
    mutate: Callable[[Document], object], path: str, kind: Change, effect: Effect
) -> None:
    found = diff(SCHEMAS, shop(mutate))
    told = [each for each in found if each.path == path]
    assert [(each.kind, each.effect) for each in told] == [(kind, effect)]
    assert all(each.sentence for each in found)
    assert diff(shop(mutate), SCHEMAS)


def test_every_kind_of_change_has_a_mutation_here_or_is_the_reverse_of_one() -> None:
    seen = {
        each.kind for m in MUTATIONS for pair in ((SCHEMAS, shop(m[0])), (shop(m[0]), SCHEMAS)) for each in diff(*pair)
    }
    assert seen == {*Change} - {Change.SPARSE_CHANGED}


REVERSED = {
    Change.ENTITY_ADDED: Change.ENTITY_REMOVED,
    Change.FIELD_ADDED: Change.FIELD_REMOVED,
    Change.REQUIRED_ADDED: Change.REQUIRED_REMOVED,
    Change.UNIQUE_ADDED: Change.UNIQUE_REMOVED,
    Change.RELATION_ADDED: Change.RELATION_REMOVED,
    Change.INDEX_ADDED: Change.INDEX_REMOVED,
    Change.TIMESTAMPS_ADDED: Change.TIMESTAMPS_REMOVED,
    Change.SOFT_DELETE_ADDED: Change.SOFT_DELETE_REMOVED,
}
REVERSED |= {removed: added for added, removed in REVERSED.items()}


def mutated(numbers: list[int]) -> Schemas:
    """The shop with those of the mutations that go together."""
    kept: list[Callable[[Document], object]] = []
    found = SCHEMAS
    for number in numbers:
        try:
            found = shop(*kept, MUTATIONS[number][0])
        except (ValidationError, KeyError, IndexError):
            continue
        kept.append(MUTATIONS[number][0])
    return found


schemas = st.lists(st.sampled_from(range(len(MUTATIONS))), max_size=4, unique=True).map(mutated)


@given(schemas)
def test_a_schema_does_not_differ_from_itself(one: Schemas) -> None:
    assert diff(one, one) == ()
    assert diff(one, schema_parse.parse(one.source)) == ()


@given(schemas, schemas)
def test_what_is_added_one_way_is_removed_the_other_way(one: Schemas, other: Schemas) -> None:
    there = {(each.kind, each.path) for each in diff(one, other) if each.kind in REVERSED}
    back = {(REVERSED[each.kind], each.path) for each in diff(other, one) if each.kind in REVERSED}
    assert there == back


@given(schemas, schemas)
def test_differences_are_told_once_and_always_in_the_same_order(one: Schemas, other: Schemas) -> None:
    found = diff(one, other)
    assert found == diff(one, schema_parse.parse(other.source))
    assert len({(each.kind, each.path) for each in found}) == len(found)
    assert bool(found) == (one.entities != other.entities)


@given(st.sampled_from(FieldType), st.sampled_from(FieldType))
def test_a_change_of_type_there_and_back_is_told_both_ways(one: FieldType, other: FieldType) -> None:
    before, after = (shop(fields(GROUP, level={"type": str(kind)})) for kind in (one, other))
    assert len(diff(before, after)) == len(diff(after, before)) == (one is not other)


def test_the_contract_calls_compatible_what_does_not_differ() -> None:
    assert msgspec.to_builtins(comparison(diff(SCHEMAS, SCHEMAS), exists=True)) == {
        "compatible": True, "exists": True, "diffs": (),
    }  # fmt: skip
    told = comparison(
        diff(SCHEMAS, shop(without(GROUP, "fields", "level"), members(DOG, timestamps=True))), exists=True
    )
    assert not told.compatible
    assert [(each.type, each.field) for each in told.diffs] == [
        ("field-removed", "level"), ("timestamps-added", "timestamps"),
    ]  # fmt: skip
    gone = comparison(diff(SCHEMAS, shop(lambda d: d.pop(DOG))), exists=False)
    assert [(each.type, each.field) for each in gone.diffs] == [("entity-removed", "")]
