"""What each command does, the same through every door and over every dialect."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

import transports
from commands import COMMANDS
from octonet.kernel.catalog import names
from projections import QUERIES
from tests.conformance.clients import DOORS
from tests.conformance.world import COVERED, World, about, fresh

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ONLY_PUSHES = {"sse"}


def test_every_operation_has_a_case() -> None:
    for part in ("test_operations", "test_operations_reads", "test_operations_relations", "test_operations_together"):
        importlib.import_module(f"tests.conformance.{part}")
    assert {*COMMANDS, *QUERIES} == set(COVERED)


def test_every_door_that_answers_requests_has_a_client() -> None:
    assert set(names(transports.__path__)) - _ONLY_PUSHES == set(DOORS)


@about("create")
async def test_create_fills_defaults_and_times_and_normalises(world: World) -> None:
    word = fresh()
    given = {"email": f"  {word.upper()}@X.org ", "born": "2001-02-03T04:05+01:00"}
    row = await world.ask("create", "Author", data=given)
    assert _UUID7.fullmatch(row["id"])
    assert _MOMENT.fullmatch(row["createdAt"])
    assert row["updatedAt"] == row["joined"] == row["createdAt"]
    assert row == {
        "id": row["id"], "email": f"{word}@x.org", "name": None, "bio": None, "rating": 0, "score": None,
        "level": "new", "active": True, "born": "2001-02-03T03:05:00.000Z", "joined": row["createdAt"],
        "keywords": None, "profile": None, "mentor": None, "createdAt": row["createdAt"],
        "updatedAt": row["createdAt"], "tags": [], "notes": [],
    }  # fmt: skip
    assert await world.ask("findById", "Author", id=row["id"]) == row


@about("create")
async def test_create_keeps_every_value_as_it_was_given(world: World) -> None:
    given = {
        "name": "Zoë ✓ \U0001f600 'quoted' \"doubly\" \\ %_", "bio": "a\nb\tc", "rating": -0.5, "score": 2**53,
        "active": False, "keywords": ["b", "a", "b", ""], "profile": {"n": [1, None, {"x": True}], "é": 1.5},
    }  # fmt: skip
    row = await world.author(**given)
    assert {name: row[name] for name in given} == given
    assert await world.ask("findById", "Author", id=row["id"]) == row


@about("create")
async def test_create_takes_an_id_that_is_brought_once(world: World) -> None:
    id, email = fresh("own-"), fresh()
    assert (await world.author(id=id, email=email))["id"] == id
    async with world.watching() as feed:
        for again in (fresh(), email):  # a taken id is told before any other taken value
            found = await world.refused("create", "Author", data={"id": id, "email": again})
            assert (found.code, found.paths) == ("DUPLICATE_ID", ["$.data.id"])
        assert await feed.facts() == []


@about("create")
async def test_create_refuses_a_taken_unique_value_and_leaves_no_fact(world: World) -> None:
    email = (await world.author())["email"]
    async with world.watching() as feed:
        found = await world.refused("create", "Author", data={"email": f" {email.upper()} "})
        assert (found.code, found.paths) == ("UNIQUE_VIOLATION", ["$.data.email"])
        assert await feed.facts() == []


@about("create", "update")
@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        ({"level": "grand"}, "VALIDATION_ERROR", "$.data.level"),
        ({"rating": "5"}, "VALIDATION_ERROR", "$.data.rating"),
        ({"rating": 2**53 + 2}, "VALIDATION_ERROR", "$.data.rating"),
        ({"active": 1}, "VALIDATION_ERROR", "$.data.active"),
        ({"born": "yesterday"}, "VALIDATION_ERROR", "$.data.born"),
        ({"keywords": ["a", 1]}, "VALIDATION_ERROR", "$.data.keywords[1]"),
        ({"email": None}, "VALIDATION_ERROR", "$.data.email"),
        ({"nmae": "x"}, "UNKNOWN_FIELD", "$.data.nmae"),
        ({"books": ["x"]}, "UNKNOWN_FIELD", "$.data.books"),
        ({"mentor": "nobody"}, "REFERENCE_NOT_FOUND", "$.data.mentor"),
        ({"tags": ["nothing"]}, "REFERENCE_NOT_FOUND", "$.data.tags"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_naming_its_path(
    world: World, data: dict[str, Any], code: str, path: str
) -> None:
    before = await world.author()
    async with world.watching() as feed:
        found = await world.refused("create", "Author", data={"email": fresh(), **data})
        assert (found.code, found.paths) == (code, [path])
        found = await world.refused("update", "Author", id=before["id"], data=data)
        assert (found.code, found.paths) == (code, [path])
        assert await feed.facts() == []
    assert await world.ask("findById", "Author", id=before["id"]) == before


@about("update")
async def test_update_merges_and_tells_what_changed(world: World) -> None:
    before = await world.author(name="A", rating=3)
    async with world.watching() as feed:
        after = await world.ask("update", "Author", id=before["id"], data={"name": "B", "rating": 3})
        [fact] = await feed.facts()
    assert after == before | {"name": "B", "updatedAt": after["updatedAt"]}
    assert after["updatedAt"] >= before["updatedAt"]
    assert fact.what == ("updated", "Author", before["id"])
    assert (fact.version, fact.op) == (2, "update")
    assert set(fact.changed) - {"updatedAt"} == {"name"}


@about("update")
async def test_update_of_an_unknown_id_answers_null_without_a_fact(world: World) -> None:
    async with world.watching() as feed:
        assert await world.ask("update", "Author", id="nobody", data={"name": "B"}) is None
        assert await feed.facts() == []


@about("update")
async def test_an_update_that_changes_nothing_leaves_no_fact_and_no_new_time(world: World) -> None:
    before = await world.author(name="A")
    async with world.watching() as feed:
        assert await world.ask("update", "Author", id=before["id"], data={"name": "A", "score": None}) == before
        assert await feed.facts() == []


@about("upsert")
async def test_upsert_adds_a_row_with_what_the_filter_says_then_changes_it(world: World) -> None:
    email = fresh()
    async with world.watching() as feed:
        made = await world.ask("upsert", "Author", filter={"email": email, "rating": {"$eq": 7}}, data={"name": "A"})
        assert (made["email"], made["rating"], made["name"], made["level"]) == (email, 7, "A", "new")
        changed = await world.ask("upsert", "Author", filter={"email": email}, data={"name": "B"})
        assert changed == made | {"name": "B", "updatedAt": changed["updatedAt"]}
        created, updated = await feed.facts()
    assert created.what == ("created", "Author", made["id"])
    assert updated.what == ("updated", "Author", made["id"])
    assert created.op == updated.op == "upsert"


@about("upsert")
async def test_upsert_that_can_neither_find_nor_make_a_row_is_refused(world: World) -> None:
    async with world.watching() as feed:
        found = await world.refused("upsert", "Author", filter={"name": fresh()}, data={"rating": 1})
        assert found.code == "VALIDATION_ERROR"
        assert "email" in found.message
        assert (await world.refused("upsert", "Author", filter={}, data={"email": fresh()})).code == "MISSING_PARAMS"
        assert await feed.facts() == []


@about("delete")
async def test_delete_removes_once(world: World) -> None:
    id = (await world.author())["id"]
    async with world.watching() as feed:
        assert await world.ask("delete", "Author", id=id) is True
        assert await world.ask("delete", "Author", id=id) is False
        assert await world.ask("delete", "Author", id="nobody") is False
        assert await feed.told() == [("deleted", "Author", id)]
    assert await world.ask("findById", "Author", id=id) is None


@about("updateMany")
async def test_update_many_counts_the_matching_and_tells_one_fact_of_each_that_differs(world: World) -> None:
    bio = fresh()
    first, second, third = [await world.author(bio=bio, rating=rating) for rating in (1, 2, 3)]
    async with world.watching() as feed:
        told = await world.whole("updateMany", "Author", filter={"bio": bio}, data={"rating": 2})
        assert told["metadata"] == {"count": 3}
        assert "data" not in told
        assert sorted(await feed.told()) == sorted(("updated", "Author", row["id"]) for row in (first, third))
    rows = await world.ask("findAll", "Author", filter={"bio": bio})
    assert [row["rating"] for row in rows] == [2, 2, 2]
    assert second in rows


@about("updateMany")
async def test_update_many_is_all_or_nothing(world: World) -> None:
    bio = fresh()
    rows = [await world.author(bio=bio) for _ in range(3)]
    async with world.watching() as feed:
        found = await world.refused("updateMany", "Author", filter={"bio": bio}, data={"email": fresh()})
        assert (found.code, found.paths) == ("UNIQUE_VIOLATION", ["$.data.email"])
        assert await feed.facts() == []
    assert await world.ask("findAll", "Author", filter={"bio": bio}, options={"sort": {"id": 1}}) == rows


@about("deleteMany")
async def test_delete_many_removes_what_matches_with_one_fact_each(world: World) -> None:
    bio = fresh()
    rows = [await world.author(bio=bio, rating=rating) for rating in range(4)]
    async with world.watching() as feed:
        told = await world.whole("deleteMany", "Author", filter={"bio": bio, "rating": {"$lt": 2}})
        assert (told["data"], told["metadata"]) == (2, {"count": 2})
        assert sorted(await feed.told()) == sorted(("deleted", "Author", row["id"]) for row in rows[:2])
        assert (await world.whole("deleteMany", "Author", filter={"bio": fresh()}))["data"] == 0
    assert await world.ask("count", "Author", filter={"bio": bio}) == 2


@about("deleteMany", "updateMany")
async def test_every_row_is_meant_only_when_the_caller_says_so(world: World) -> None:
    for _ in range(3):
        await world.ask("create", "Note", data={"slug": fresh()})
    total = await world.ask("count", "Note")
    async with world.watching() as feed:
        says_nothing: list[dict[str, Any]] = [
            {}, {"filter": {}}, {"filter": None}, {"filter": {"$and": [{}]}}, {"options": {"all": False}}
        ]  # fmt: skip
        for empty in says_nothing:
            for op, data in (("deleteMany", {}), ("updateMany", {"data": {"body": "x"}})):
                found = await world.refused(op, "Note", **empty, **data)
                assert (found.code, found.paths) == ("FILTER_REQUIRED", ["$.filter"])
        assert await feed.facts() == []
    told = await world.whole("updateMany", "Note", data={"body": fresh()}, options={"all": True})
    assert told["metadata"]["count"] == total
    assert await world.ask("deleteMany", "Note", options={"all": True}) == total
    assert await world.ask("count", "Note") == 0


@about("increment")
async def test_increment_adds_and_counts_null_as_zero(world: World) -> None:
    id = (await world.author())["id"]
    assert (await world.ask("increment", "Author", id=id, field="score", amount=2.5))["score"] == 2.5
    assert (await world.ask("increment", "Author", id=id, field="score", amount=-0.5))["score"] == 2
    async with world.watching() as feed:
        assert (await world.ask("increment", "Author", id=id, field="score", amount=0))["score"] == 2
        assert await feed.facts() == []


@about("increment")
async def test_increment_refuses_what_is_no_exact_number(world: World) -> None:
    id = (await world.author(rating=2**53))["id"]
    for field, amount, path in (("name", 1, "$.field"), ("rating", 1, "$.amount"), ("rating", "1", "$.amount")):
        found = await world.refused("increment", "Author", id=id, field=field, amount=amount)
        assert (found.code, found.paths) == ("VALIDATION_ERROR", [path])
    assert (await world.ask("findById", "Author", id=id))["rating"] == 2**53


@about("increment", "addToSet", "pull")
async def test_what_needs_a_row_refuses_an_unknown_id(world: World) -> None:
    async with world.watching() as feed:
        for op, members in (
            ("increment", {"field": "score", "amount": 1}),
            ("addToSet", {"field": "keywords", "value": "a"}),
            ("pull", {"field": "keywords", "value": "a"}),
        ):
            assert (await world.refused(op, "Author", id="nobody", **members)).code == "NOT_FOUND"
        assert await feed.facts() == []
    assert await world.ask("findById", "Author", id="nobody") is None


@about("addToSet")
async def test_an_element_is_added_once(world: World) -> None:
    id = (await world.author())["id"]
    async with world.watching() as feed:
        first = await world.ask("addToSet", "Author", id=id, field="keywords", value="a")
        assert first["keywords"] == ["a"]
        assert await world.ask("addToSet", "Author", id=id, field="keywords", value="a") == first
        assert (await world.ask("addToSet", "Author", id=id, field="keywords", value=""))["keywords"] == ["a", ""]
        facts = await feed.facts()
    assert [fact.version for fact in facts] == [2, 3]


@about("pull")
async def test_pull_removes_every_equal_element(world: World) -> None:
    id = (await world.author(keywords=["a", "b", "a"]))["id"]
    async with world.watching() as feed:
        assert (await world.ask("pull", "Author", id=id, field="keywords", value="a"))["keywords"] == ["b"]
        assert (await world.ask("pull", "Author", id=id, field="keywords", value="a"))["keywords"] == ["b"]
        assert await feed.told() == [("updated", "Author", id)]


@about("addToSet", "pull")
async def test_elements_that_do_not_fit_are_refused(world: World) -> None:
    id = (await world.author())["id"]
    for op in ("addToSet", "pull"):
        for field, value, path in (("keywords", 1, "$.value"), ("name", "a", "$.field"), ("password", "a", "$.field")):
            found = await world.refused(op, "Author", id=id, field=field, value=value)
            assert (found.code, found.paths) == ("VALIDATION_ERROR", [path])
