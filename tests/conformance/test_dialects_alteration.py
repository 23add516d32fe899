"""Every dialect takes its rows along when the schema changes; what they stand against is refused whole, and named."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octonet import dialects
from octonet.kernel import schema_parse
from octonet.kernel.errors import Conflict, ConstraintViolation
from octonet.kernel.filter import EVERYTHING, Compare, Comparison
from octonet.kernel.ids import EntityId, JsonValue
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from tests.conformance.alteration_cases import LINKED, PLAIN, TAG, Definition, follow, item, put, refused, rows
from tests.conformance.dialect_cases import KNOWN, found, row_of, state, stored, uri_of, write


@pytest.fixture(params=KNOWN)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    dialect = dialects.find(str(request.param))
    opened = await dialect.open(uri_of(str(request.param), tmp_path), PLAIN, DatabaseOptions())
    yield opened
    await opened.close()


async def test_new_fields_get_their_defaults(database: Database) -> None:
    await follow(database, PLAIN)
    await put(database, PLAIN, "a", name="one")
    after = item(
        {
            "name": {"type": "string", "default": "none"},
            "price": {"type": "number", "required": True, "default": 1.5},
            "ready": {"type": "boolean", "default": False},
            "more": {"type": "json", "default": {"b": [1], "a": None}},
            "note": {"type": "text"},
        }
    )
    await follow(database, after)
    defaults: dict[str, JsonValue] = {"price": 1.5, "ready": False, "more": {"b": [1], "a": None}}
    assert await rows(database, after) == [state(after.entities["Item"], "a", name="one", **defaults)]
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(after.entities["Item"], [stored(after.entities["Item"], "b")])
    await transaction.rollback()


async def test_rows_without_a_value_stand_against_a_requirement(database: Database) -> None:
    await follow(database, PLAIN)
    for id in "abcde":
        await put(database, PLAIN, id, name=None if id in "bd" else id)
    needy = item({"name": {"type": "string", "required": True}, "size": {"type": "number", "required": True}})
    told = await refused(database, needy)
    assert told["$.Item.fields.name"] == 'is required, but there are the rows "b", "d" without a value'
    assert told["$.Item.fields.size"] == 'is required, but there are the rows "a", "b", "c" and others without a value'
    assert len(await rows(database, PLAIN)) == 5
    defaulted = item({"name": {"type": "string", "required": True, "default": "?"}})
    await follow(database, defaulted)
    assert [row["name"] for row in await rows(database, defaulted)] == ["a", "?", "c", "?", "e"]
    await follow(database, PLAIN)
    await put(database, PLAIN, "f", name=None)


async def test_a_requirement_is_no_matter_where_there_are_no_rows(database: Database) -> None:
    await follow(database, PLAIN)
    after = item({"name": {"type": "string", "required": True}, "size": {"type": "number", "required": True}})
    await follow(database, after)
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(after.entities["Item"], [stored(after.entities["Item"], "a", name="n")])
    await transaction.rollback()
    await put(database, after, "a", name="n", size=1)


async def test_what_a_schema_gives_up_stays_out_of_the_way_and_comes_back(database: Database) -> None:
    before = item(
        {"name": {"type": "string", "required": True, "unique": True}, "size": {"type": "number"}},
        relations={
            "tags": {"type": "many-to-many", "target": "Tag"},
            "first": {"type": "many-to-one", "target": "Tag"},
        },
    )
    await follow(database, before)
    await put(database, before, "a", name="one", size=1, tags=["t"], first="t")
    bare = item({"size": {"type": "number"}})
    await follow(database, bare)
    assert await rows(database, bare) == [{"id": "a", "size": 1}]
    await put(database, bare, "b", size=2)
    await put(database, bare, "c", size=3)
    transaction = await database.begin()
    await transaction.update(bare.entities["Item"], [(1, stored(bare.entities["Item"], "a", 2, size=9))])
    await transaction.commit()
    optional = item(
        {"name": {"type": "string", "unique": True}, "size": {"type": "number"}},
        relations={
            "tags": {"type": "many-to-many", "target": "Tag"},
            "first": {"type": "many-to-one", "target": "Tag"},
        },
    )
    await follow(database, optional)
    entity = optional.entities["Item"]
    assert await rows(database, optional) == [
        state(entity, "a", name="one", size=9, tags=["t"], first="t"),
        state(entity, "b", size=2),
        state(entity, "c", size=3),
    ]
    await follow(database, schema_parse.parse(json.dumps([TAG])))
    await follow(database, optional)
    assert len(await rows(database, optional)) == 3


async def test_rows_that_exchange_unique_values_keep_what_no_schema_names(database: Database) -> None:
    before = item({"name": {"type": "string", "unique": True}, "size": {"type": "number"}, "more": {"type": "json"}})
    await follow(database, before)
    await put(database, before, "a", name="one", size=1, more={"x": [1]})
    await put(database, before, "b", name="two", size=2)
    bare = item({"name": {"type": "string", "unique": True}})
    await follow(database, bare)
    entity = bare.entities["Item"]
    transaction = await database.begin()
    swapped = [(1, stored(entity, "a", 2, name="two")), (1, stored(entity, "b", 2, name="one"))]
    await transaction.update(entity, swapped)
    await transaction.commit()
    await follow(database, before)
    assert await rows(database, before) == [
        {"id": "a", "name": "two", "size": 1, "more": {"x": [1]}},
        {"id": "b", "name": "one", "size": 2, "more": None},
    ]


async def test_what_is_dropped_is_gone(database: Database) -> None:
    before = item(
        {"name": {"type": "string", "required": True}, "size": {"type": "number"}},
        relations={"tags": {"type": "many-to-many", "target": "Tag"}},
    )
    await follow(database, before)
    await put(database, before, "a", name="one", size=1, tags=["t"])
    await follow(database, item({"size": {"type": "number"}}), drop=True)
    after = item(
        {"name": {"type": "string"}, "size": {"type": "number"}},
        relations={"tags": {"type": "many-to-many", "target": "Tag"}},
    )
    await follow(database, after)
    assert await rows(database, after) == [state(after.entities["Item"], "a", size=1)]
    await follow(database, schema_parse.parse(json.dumps([TAG])), drop=True)
    await follow(database, after)
    assert await rows(database, after) == []


async def test_what_was_given_up_earlier_can_be_dropped_later(database: Database) -> None:
    await follow(database, PLAIN)
    await put(database, PLAIN, "a", name="one")
    bare = item({})
    await follow(database, bare)
    await follow(database, bare, drop=True)
    await follow(database, PLAIN)
    assert await rows(database, PLAIN) == [state(PLAIN.entities["Item"], "a")]


@pytest.mark.parametrize(
    ("old", "new", "value", "expected"),
    [
        ("number", "string", 30, "30"),
        ("number", "text", 0.5, "0.5"),
        ("string", "number", "30", 30),
        ("boolean", "number", True, 1),
        ("number", "boolean", 0, False),
        ("string", "date", "2024-01-02", "2024-01-02T00:00:00.000Z"),
        ("date", "string", "2024-01-02T00:00:00.000Z", "2024-01-02T00:00:00.000Z"),
        ("json", "text", {"a": [1]}, '{"a":[1]}'),
        ("text", "json", '{"a":[1]}', {"a": [1]}),
        ("array", "json", ["x"], ["x"]),
        ("string", "text", "x", "x"),
    ],
)
async def test_values_are_turned_into_another_type(
    database: Database, old: str, new: str, value: JsonValue, expected: JsonValue
) -> None:
    before = item({"v": {"type": old}, "name": {"type": "string"}}, **LINKED)
    await follow(database, before)
    await put(database, before, "a", v=value, name="one", tags=["t"])
    await put(database, before, "b", name="two")
    assert len(await rows(database, before)) == 2
    after = item({"v": {"type": new}, "name": {"type": "string"}}, **LINKED)
    await follow(database, after)
    # Readers whose statements were prepared for the old type follow, too.
    for _ in range(3):
        assert await rows(database, after) == [
            state(after.entities["Item"], "a", v=expected, name="one", tags=["t"]),
            state(after.entities["Item"], "b", name="two"),
        ]
        assert await row_of(database, after.entities["Item"], "a") is not None
    await put(database, after, "c", v=expected)


async def test_a_value_that_cannot_be_turned_is_named_and_nothing_is_changed(database: Database) -> None:
    before = item({"v": {"type": "string"}, "password": {"type": "string"}})
    await follow(database, before)
    for id, value in (("a", "1"), ("b", "two"), ("c", "three"), ("d", "4")):
        await put(database, before, id, v=value, password="hush" if id == "a" else None)
    after = item({"v": {"type": "number"}, "password": {"type": "number"}, "w": {"type": "string", "default": "x"}})
    with pytest.raises(Conflict) as caught:
        await database.migrate(after, Strategy.UPDATE)
    assert [(fault.path, fault.message) for fault in caught.value.faults] == [
        ("$.Item.fields.v", 'the value of row "b": "two" is not a number'),
        ("$.Item.fields.v", 'the value of row "c": "three" is not a number'),
        ("$.Item.fields.password", 'the value of row "a": does not convert'),
    ]
    assert [row["v"] for row in await rows(database, before)] == ["1", "two", "three", "4"]
    await put(database, before, "e", v="five")


async def test_a_type_that_keeps_no_value_needs_a_confirmation(database: Database) -> None:
    before = item({"v": {"type": "number"}})
    await follow(database, before)
    await put(database, before, "a", v=1)
    after = item({"v": {"type": "date", "required": True, "default": "2024-01-02"}})
    assert "$.Item.fields.v" in await refused(database, after)
    await follow(database, after, drop=True)
    assert await rows(database, after) == [{"id": "a", "v": "2024-01-02T00:00:00.000Z"}]


async def test_many_rows_are_turned_in_pieces(database: Database) -> None:
    before = item({"v": {"type": "number"}})
    await follow(database, before)
    entity = before.entities["Item"]
    await write(database, entity, *(stored(entity, f"{n:05}", v=n) for n in range(2500)))
    after = item({"v": {"type": "string"}})
    await follow(database, after)
    assert await database.count(after.entities["Item"], Compare("v", Comparison.EQ, "2499")) == 1
    assert await database.count(after.entities["Item"], EVERYTHING) == 2500


async def test_a_new_unique_constraint_over_duplicates_is_refused_naming_them(database: Database) -> None:
    before = item({"name": {"type": "string"}, "size": {"type": "number"}, "secret": {"type": "string"}})
    await follow(database, before)
    for id, name in (("a", "same"), ("b", "same"), ("c", "other")):
        await put(database, before, id, name=name, size=1, secret="hush")
    unique: Definition = {
        "name": {"type": "string", "unique": True},
        "size": {"type": "number"},
        "secret": {"type": "string", "unique": True},
    }
    told = await refused(database, item(unique, indexes=[{"fields": ["size", "name"], "unique": True}]))
    assert 'name must be unique, but rows share "same"' in told["$.Item.fields.name"]
    assert told["$.Item.fields.size"] == 'size and name must be unique, but rows share "1", "same"'
    assert "hush" not in told["$.Item.fields.secret"]
    assert len(await rows(database, before)) == 3
    transaction = await database.begin()
    await transaction.delete(before.entities["Item"], [EntityId("a")])
    await transaction.commit()
    after = item({"name": {"type": "string", "unique": True}})
    await follow(database, after)
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation):
        await transaction.insert(after.entities["Item"], [stored(after.entities["Item"], "d", name="same")])
    await transaction.rollback()
    await follow(database, PLAIN)
    await put(database, PLAIN, "d", name="same")


async def test_an_index_follows_its_declaration(database: Database) -> None:
    both: Definition = {"one": {"type": "string"}, "two": {"type": "string"}}
    before = item(both, indexes=[{"fields": ["one"], "unique": True}])
    await follow(database, before)
    await put(database, before, "a", one="x", two="x")
    after = item(both, indexes=[{"fields": ["two"], "unique": True}])
    await follow(database, after)
    await put(database, after, "b", one="x", two="y")
    transaction = await database.begin()
    with pytest.raises(ConstraintViolation) as caught:
        await transaction.insert(after.entities["Item"], [stored(after.entities["Item"], "c", one="z", two="y")])
    await transaction.rollback()
    assert [fault.path for fault in caught.value.faults] == ["$.data.two"]


async def test_a_soft_deleted_row_does_not_stand_against_uniqueness(database: Database) -> None:
    before = item({"name": {"type": "string"}}, softDelete=True)
    await follow(database, before)
    await put(database, before, "a", name="same")
    await put(database, before, "b", name="same", deletedAt="2024-01-02T00:00:00.000Z")
    after = item({"name": {"type": "string", "unique": True}}, softDelete=True)
    await follow(database, after)
    assert "$.Item.fields.name" in await refused(database, item({"name": {"type": "string", "unique": True}}))


async def test_a_narrower_enum_is_refused_while_rows_hold_more(database: Database) -> None:
    before = item({"name": {"type": "string"}})
    await follow(database, before)
    await put(database, before, "a", name="red")
    await put(database, before, "b", name="blue")
    await put(database, before, "c")
    told = await refused(database, item({"name": {"type": "string", "enum": ["red", "green"]}}))
    assert told == {"$.Item.fields.name": 'takes fewer values, but there is the row "b" with another'}
    await follow(database, item({"name": {"type": "string", "enum": ["red", "blue"]}}))


async def test_names_of_entities_collections_and_links_change_around_the_rows(database: Database) -> None:
    relations = {"tags": {"type": "many-to-many", "target": "Tag"}, "parent": {"type": "many-to-one", "target": "Item"}}
    before = item({"name": {"type": "string", "unique": True}}, relations=relations)
    await follow(database, before)
    await write(database, before.entities["Tag"], stored(before.entities["Tag"], "t", label="l"))
    await put(database, before, "a", name="one", tags=["t"], parent="a")
    moved = item({"name": {"type": "string", "unique": True}}, relations=relations, collection="things")
    await follow(database, moved)
    assert await rows(database, moved) == [state(moved.entities["Item"], "a", name="one", tags=["t"], parent="a")]
    renamed = item(
        {"name": {"type": "string", "unique": True}},
        name="Thing",
        collection="things",
        relations={**relations, "parent": {"type": "many-to-one", "target": "Thing"}},
    )
    await follow(database, renamed)
    thing = renamed.entities["Thing"]
    assert await rows(database, renamed, "Thing") == [state(thing, "a", name="one", tags=["t"], parent="a")]
    await write(database, thing, stored(thing, "b", name="two", tags=["t"]))
    assert await found(database, renamed.entities["Tag"], EVERYTHING) == ["t"]


async def test_links_to_another_entity_are_lost_only_when_confirmed(database: Database) -> None:
    other: Definition = {"name": "Mark", "collection": "marks", "fields": {}}
    before = item({}, other, relations={"tags": {"type": "many-to-many", "target": "Tag"}})
    await follow(database, before)
    await put(database, before, "a", tags=["t"])
    after = item({}, other, relations={"tags": {"type": "many-to-many", "target": "Mark"}})
    assert "the links of Item.tags" in (await refused(database, after))["$.Item.relations.tags"]
    assert await rows(database, before) == [{"id": "a", "tags": ["t"]}]
    await follow(database, after, drop=True)
    assert await rows(database, after) == [{"id": "a", "tags": []}]


async def test_a_reference_that_leads_elsewhere_must_find_its_rows_there(database: Database) -> None:
    before = item({"first": {"type": "string"}})
    await follow(database, before)
    await put(database, before, "a", first="t")
    after = item({}, relations={"first": {"type": "many-to-one", "target": "Tag"}})
    told = await refused(database, after)
    assert told == {
        "$.Item.relations.first": 'leads to Tag, but there is the row "a" with an id that no Tag has'
    }  # fmt: skip
    await write(database, before.entities["Tag"], stored(before.entities["Tag"], "t", label="l"))
    await follow(database, after)
    assert await rows(database, after) == [{"id": "a", "first": "t"}]


async def test_the_table_of_an_entity_that_went_is_not_given_to_another(database: Database) -> None:
    await follow(database, PLAIN)
    await put(database, PLAIN, "a", name="one")
    await follow(database, schema_parse.parse(json.dumps([TAG])))
    thing = item({"name": {"type": "string"}}, name="Thing")
    assert "the rows of Item" in (await refused(database, thing))["$.Thing.collection"]
    await follow(database, thing, drop=True)
    assert await rows(database, thing, "Thing") == []
