"""What a schema file may say, and how the rest is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given

from octonet.kernel import schema_parse
from octonet.kernel.errors import ValidationError
from octonet.kernel.schema import Direction, Embedded, EntitySchema, Fetch, FieldType, OnDelete, RelationKind, Schemas
from tests.unit.arbitrary import documents, read_or_refused
from tests.unit.shop import DOG, ENTITIES, ORDER, SCHEMAS, USER


def one(**members: object) -> EntitySchema:
    schemas = schema_parse.parse(json.dumps([{"name": "A", "collection": "as", **members}]))
    return schemas.entities["A"]


def two(first: dict[str, object], second: dict[str, object]) -> Schemas:
    return schema_parse.parse(
        json.dumps([{"name": "A", "collection": "as", **first}, {"name": "B", "collection": "bs", **second}])
    )


def faults(make: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        make()
    assert caught.value.code == "INVALID_SCHEMA"
    return {fault.path: fault.message for fault in caught.value.faults}


def field_faults(**definition: object) -> dict[str, str]:
    found = faults(lambda: one(fields={"f": definition}))
    return {path.removeprefix("$[0].fields.f"): message for path, message in found.items()}


def relation_faults(other: dict[str, object], **definition: object) -> dict[str, str]:
    found = faults(lambda: two({"relations": {"r": {"target": "B", **definition}}}, other))
    return {path.removeprefix("$[0].relations.r"): message for path, message in found.items()}


def test_the_shop_is_read_whole() -> None:
    assert list(SCHEMAS.entities) == ["User", "Order", "Group", "Dog"]
    assert list(USER.fields)[:3] == ["email", "name", "age"]
    assert SCHEMAS.find("orders") is ORDER
    assert USER.fields["seen"].default_now
    assert USER.fields["settings"].default == {"theme": "dark"}
    assert isinstance(USER.fields["addresses"].array_of, Embedded)
    assert USER.fields["labels"].array_of is FieldType.STRING
    assert USER.secrets == {"password"}
    assert list(ORDER.columns) == ["id", "total", "paid", "customer", "deletedAt"]


def test_the_source_is_kept_and_reads_the_same() -> None:
    assert schema_parse.parse(SCHEMAS.source) == SCHEMAS
    assert schema_parse.parse(b"\xef\xbb\xbf" + json.dumps(ENTITIES, indent=2).encode()) == SCHEMAS


def test_relations_get_their_defaults() -> None:
    orders, groups, boss = (USER.relations[name] for name in ("orders", "groups", "boss"))
    assert (orders.kind, orders.column, orders.select) == (RelationKind.ONE_TO_MANY, "customer", ("total",))
    assert (groups.through, groups.source_column, groups.target_column) == ("users_groups", "userId", "groupId")
    assert (boss.column, boss.on_delete, boss.fetch) == ("bossId", OnDelete.SET_NULL, Fetch.LAZY)
    assert ORDER.relations["customer"].on_delete is OnDelete.RESTRICT
    assert ORDER.relations["customer"].column == "customer"


def test_relations_indexes_and_timestamps_may_be_absent_or_null() -> None:
    schema = one(fields=None, relations=None, indexes=None, timestamps=None)
    assert list(schema.columns) == ["id"]


def test_unknown_members_of_an_entity_are_accepted() -> None:
    assert one(description="anything", icon={"a": 1}).name == "A"


def test_a_field_called_id_is_ignored() -> None:
    assert list(one(fields={"id": {"type": "nonsense"}, "n": {"type": "number"}}).fields) == ["n"]


def test_now_in_both_spellings_means_the_time_of_the_command() -> None:
    schema = one(fields={"a": {"type": "date", "default": "now"}, "b": {"type": "date", "default": "__MOSTA_NOW__"}})
    assert schema.fields["a"].default_now
    assert schema.fields["b"].default_now


def test_defaults_are_normalised() -> None:
    schema = one(
        fields={
            "n": {"type": "number", "default": 3.0},
            "d": {"type": "date", "default": "2024-01-01"},
            "s": {"type": "string", "default": " X ", "trim": True, "lowercase": True},
        }
    )
    assert [f.default for f in schema.fields.values()] == [3, "2024-01-01T00:00:00.000Z", "x"]


def test_a_self_reference_gets_two_different_junction_columns() -> None:
    relation = one(relations={"friends": {"type": "many-to-many", "target": "A"}}).relations["friends"]
    assert (relation.source_column, relation.target_column) == ("aId", "relatedAId")


def test_one_to_many_finds_its_column_by_default_by_field_and_by_the_name_of_the_relation_back() -> None:
    child: dict[str, object] = {"relations": {"owner": {"type": "many-to-one", "target": "A", "joinColumn": "aId"}}}
    for mapped in (None, "aId", "owner"):
        parent: dict[str, object] = {"relations": {"r": {"type": "one-to-many", "target": "B", "mappedBy": mapped}}}
        assert two(parent, child).entities["A"].relations["r"].column == "aId"
    plain: dict[str, object] = {"fields": {"aId": {"type": "string"}}}
    assert two({"relations": {"r": {"type": "one-to-many", "target": "B"}}}, plain).entities["A"].relations["r"].column


def test_on_delete_follows_nullable() -> None:
    relation = {"type": "many-to-one", "target": "A", "nullable": False}
    assert one(relations={"r": relation}).relations["r"].on_delete is OnDelete.RESTRICT
    assert one(relations={"r": {**relation, "onDelete": "cascade"}}).relations["r"].on_delete is OnDelete.CASCADE


def test_members_never_implemented_are_accepted_and_ignored() -> None:
    relation = {"type": "many-to-one", "target": "A", "cascade": ["all"], "orphanRemoval": True}
    assert one(relations={"r": {**relation, "inverseJoinColumn": "x"}}).relations["r"].column == "r"


def test_indexes_are_read_in_both_spellings() -> None:
    fields = {"a": {"type": "string"}, "b": {"type": "number"}}
    relations = {"r": {"type": "many-to-one", "target": "A", "joinColumn": "rId"}}
    indexes = [{"fields": {"a": "desc", "b": 1}, "unique": True}, {"fields": ["a", "r", "createdAt"], "sparse": True}]
    first, second = one(fields=fields, relations=relations, indexes=indexes, timestamps=True).indexes
    assert (first.fields, first.unique) == ((("a", Direction.DESC), ("b", Direction.ASC)), True)
    assert [name for name, _ in second.fields] == ["a", "rId", "createdAt"]
    assert second.sparse


def test_a_discriminator_is_a_column() -> None:
    assert list(DOG.columns) == ["id", "weight", "_type"]
    assert (DOG.discriminator, DOG.discriminator_value) == ("_type", "dog")


def test_a_misspelt_type_is_refused_with_a_suggestion() -> None:
    broken = copy.deepcopy(ENTITIES)
    broken[2]["fields"] = {"email": {"type": "strin"}}
    found = faults(lambda: schema_parse.parse(json.dumps(broken)))
    assert found == {"$[2].fields.email.type": '"strin" is not a type; did you mean "string"?'}


def test_all_faults_are_told_at_once() -> None:
    found = faults(
        lambda: two({"fields": {"x": {"type": "int"}, "_y": {"type": "date"}}}, {"timestamps": "yes", "indexes": {}})
    )
    assert set(found) == {"$[0].fields.x.type", "$[0].fields._y", "$[1].timestamps", "$[1].indexes"}
    assert 'did you mean "number"?' in found["$[0].fields.x.type"]


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({}, ".type"),
        ({"type": "string", "requird": True}, ".requird"),
        ({"type": "string", "required": 1}, ".required"),
        ({"type": "number", "default": "x"}, ".default"),
        ({"type": "number", "default": "now"}, ".default"),
        ({"type": "date", "default": "tomorrow"}, ".default"),
        ({"type": "string", "enum": ["a"], "default": "b"}, ".default"),
        ({"type": "string", "enum": ["a", 1]}, ".enum[1]"),
        ({"type": "string", "enum": []}, ".enum"),
        ({"type": "string", "enum": ["Big"], "lowercase": True}, ".enum"),
        ({"type": "number", "enum": ["a"]}, ".enum"),
        ({"type": "boolean", "trim": True}, ".trim"),
        ({"type": "json", "unique": True}, ".unique"),
        ({"type": "string", "arrayOf": "string"}, ".arrayOf"),
        ({"type": "array", "arrayOf": "strings"}, ".arrayOf"),
        ({"type": "array", "arrayOf": {"kind": "embeded", "fields": {}}}, ".arrayOf.kind"),
        ({"type": "array", "arrayOf": {"kind": "embedded", "fields": {"a": {"type": "x"}}}}, ".arrayOf.fields.a.type"),
        (
            {"type": "array", "arrayOf": {"kind": "embedded", "fields": {"a": {"type": "date", "default": "now"}}}},
            ".arrayOf.fields.a.default",
        ),
    ],
)
def test_a_wrong_field_is_refused_at_its_place(definition: dict[str, object], place: str) -> None:
    assert list(field_faults(**definition)) == [place]


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({"type": "many-to-one", "target": "Bee"}, ".target"),
        ({"type": "many-to-one", "target": "bs"}, ".target"),
        ({"type": "many-to-on"}, ".type"),
        ({}, ".type"),
        ({"type": "many-to-one", "joincolumn": "x"}, ".joincolumn"),
        ({"type": "many-to-one", "joinColumn": "_x"}, ".joinColumn"),
        ({"type": "many-to-one", "mappedBy": "x"}, ".mappedBy"),
        ({"type": "many-to-one", "through": "x"}, ".through"),
        ({"type": "many-to-one", "required": True, "onDelete": "set-null"}, ".onDelete"),
        ({"type": "many-to-one", "required": True, "nullable": True}, ".nullable"),
        ({"type": "many-to-one", "fetch": "soon"}, ".fetch"),
        ({"type": "many-to-one", "select": ["nmae"]}, ".select"),
        ({"type": "many-to-one", "select": ["password"]}, ".select"),
        ({"type": "one-to-many"}, ".mappedBy"),
        ({"type": "one-to-many", "mappedBy": "age"}, ".mappedBy"),
        ({"type": "many-to-many", "through": "bs"}, ".through"),
        ({"type": "many-to-many", "through": "a" * 64}, ".through"),
    ],
)
def test_a_wrong_relation_is_refused_at_its_place(definition: dict[str, object], place: str) -> None:
    fields = {"name": {"type": "string"}, "age": {"type": "number"}, "password": {"type": "string"}}
    assert list(relation_faults({"fields": fields}, **definition)) == [place]


def test_one_to_many_without_a_way_back_suggests_the_relation_that_is_there() -> None:
    back: dict[str, object] = {"relations": {"owner": {"type": "many-to-one", "target": "A"}}}
    assert 'did you mean "owner"?' in relation_faults(back, type="one-to-many")[".mappedBy"]


def test_a_junction_has_one_owner() -> None:
    link = {"type": "many-to-many", "through": "a_b"}
    found = faults(
        lambda: two({"relations": {"r": {**link, "target": "B"}}}, {"relations": {"s": {**link, "target": "A"}}})
    )
    assert list(found) == ["$[1].relations.s.through"]


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"fields": {"a": {"type": "string"}, "A": {"type": "string"}}}, "$[0].fields.A"),
        ({"fields": {"Id": {"type": "string"}}}, "$[0].fields.Id"),
        (
            {"fields": {"r": {"type": "string"}}, "relations": {"r": {"type": "many-to-one", "target": "A"}}},
            "$[0].relations.r",
        ),
        (
            {
                "fields": {"x": {"type": "string"}},
                "relations": {"r": {"type": "many-to-one", "target": "A", "joinColumn": "X"}},
            },
            "$[0].relations.r",
        ),
        (
            {"fields": {"r": {"type": "string"}}, "relations": {"r": {"type": "many-to-many", "target": "A"}}},
            "$[0].relations.r",
        ),
        ({"timestamps": True, "fields": {"createdAt": {"type": "string"}}}, "$[0].fields.createdAt"),
        ({"timestamps": True, "fields": {"createdat": {"type": "date"}}}, "$[0].fields"),
        ({"softDelete": True, "fields": {"deletedAt": {"type": "date", "required": True}}}, "$[0].fields.deletedAt"),
        ({"discriminator": "_version"}, "$[0].discriminator"),
        ({"discriminatorValue": "x"}, "$[0].discriminatorValue"),
        ({"discriminator": "k", "fields": {"k": {"type": "number"}}}, "$[0].discriminator"),
        ({"indexes": [{"fields": ["nope"]}]}, "$[0].indexes[0].fields"),
        ({"indexes": [{"fields": []}]}, "$[0].indexes[0].fields"),
        ({"indexes": [{"fields": {"id": "up"}}]}, "$[0].indexes[0].fields.id"),
        ({"indexes": [{"fields": ["id"], "name": "x"}]}, "$[0].indexes[0].name"),
        ({"collection": "octonet_inbox"}, "$[0].collection"),
        ({"collection": "a b"}, "$[0].collection"),
        ({"name": "A.B"}, "$[0].name"),
        ({"name": ""}, "$[0].name"),
        ({"name": "A" * 64}, "$[0].name"),
    ],
)
def test_a_wrong_entity_is_refused_at_its_place(members: dict[str, object], place: str) -> None:
    assert list(faults(lambda: one(**members))) == [place]


def test_names_and_collections_are_told_apart_without_regard_to_case() -> None:
    assert list(faults(lambda: two({}, {"name": "A"}))) == ["$[1].name"]
    assert list(faults(lambda: two({}, {"collection": "AS"}))) == ["$[1].collection"]
    assert list(faults(lambda: two({}, {"name": "as"}))) == ["$[1].name"]
    assert two({"name": "as"}, {}).entities["as"].collection == "as"


@pytest.mark.parametrize("text", ["", "{}", "nul", "[1]", "[" * 4000, '[{"name":"\ud800"}]', b"\xff"])
def test_what_is_no_list_of_entities_is_refused(text: str | bytes) -> None:
    assert faults(lambda: schema_parse.parse(text))


@given(documents("name", "collection", "fields", "relations", "type", "target", "indexes", "default", "enum"))
def test_any_document_is_read_or_refused(document: object) -> None:
    inside = {"name": "A", "collection": "as", "fields": document, "relations": document}
    for whole in (document, [document], [inside]):
        read_or_refused(partial(schema_parse.parse, json.dumps(whole)))
