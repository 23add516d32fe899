"""What was, and what would be: reads as of a moment of the past, and commands that are only tried out."""

from __future__ import annotations

import pytest

from tests.conformance.clients import Json
from tests.conformance.world import World, about, fresh

_DOORS_WITHOUT_FACTS = ("odata",)
"""A row of OData has no place beside it."""


@about("findById", "findAll", "findOne", "count")
async def test_reads_as_of_a_position_see_what_was_right_after_it(world: World) -> None:
    email = fresh()
    made = await world.whole("create", "Author", data={"email": email, "rating": 1, "tags": [await world.tag()]})
    id, mine = made["data"]["id"], {"email": email}
    changed = await world.whole("update", "Author", id=id, data={"rating": 2, "tags": []})
    deleted = await world.whole("delete", "Author", id=id)
    for told, then in ((made, made["data"]), (changed, changed["data"])):
        at = told["position"]
        assert await world.ask("findById", "Author", id=id, asOf=at) == then
        assert await world.ask("findOne", "Author", filter=mine, asOf=at) == then
        assert await world.ask("findAll", "Author", filter=mine, asOf=at) == [then]
        assert await world.ask("findAll", "Author", filter={**mine, "rating": {"$gt": 1}}, asOf=at) == (
            [then] if told is changed else []
        )
        assert await world.ask("count", "Author", filter=mine, asOf=at) == 1
    assert await world.ask("findById", "Author", id=id, asOf=deleted["position"]) is None
    assert await world.ask("count", "Author", filter=mine, asOf=deleted["position"]) == 0


@about("findById", "findAll")
async def test_what_a_row_was_related_to_then_is_told_as_it_was_then(world: World) -> None:
    author = await world.author(name="before")
    book = await world.whole("create", "Book", data={"title": fresh(), "author": author["id"]})
    await world.ask("update", "Author", id=author["id"], data={"name": "after"})
    await world.ask("delete", "Book", id=book["data"]["id"])
    asked = {"relations": ["author"], "asOf": book["position"]}
    told = await world.ask("findById", "Book", id=book["data"]["id"], **asked)
    assert told["author"]["name"] == "before"
    [listed] = await world.ask("findAll", "Book", filter={"title": book["data"]["title"]}, **asked)
    assert listed["author"]["name"] == "before"


@about("findAll")
async def test_a_page_of_the_past_goes_on_with_its_cursor(world: World) -> None:
    name = fresh()
    ids = [(await world.author(name=name))["id"] for _ in range(5)]
    at = (await world.whole("create", "Author", data={"email": fresh()}))["position"]
    await world.ask("deleteMany", "Author", filter={"name": name})
    asked: dict[str, Json] = {"filter": {"name": name}, "asOf": at}
    first = await world.whole("findAll", "Author", options={"limit": 3}, **asked)
    after = first["metadata"]["cursor"]
    rest = await world.ask("findAll", "Author", options={"limit": 3, "after": after}, **asked)
    assert [row["id"] for row in (*first["data"], *rest)] == sorted(ids)


@about("findById")
@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p[1:] + p[0], lambda p: "", lambda p: "nonsense"])
async def test_a_position_of_the_past_that_was_tampered_with_is_refused(world: World, change: object) -> None:
    assert callable(change)
    written = await world.whole("create", "Author", data={"email": fresh()})
    told = await world.refused("findById", "Author", id="x", asOf=change(written["position"]))
    assert told.code == "INVALID_POSITION"


@about("findById", "count")
async def test_what_has_not_come_yet_and_what_is_no_time_is_refused(world: World) -> None:
    for moment in ("2999-01-01", "2026-13-40", "2026-01-01T25:00:00Z"):
        assert (await world.refused("count", "Author", asOf=moment)).code == "INVALID_AS_OF"
    position = (await world.whole("create", "Author", data={"email": fresh()}))["position"]
    told = await world.refused("findById", "Author", id="x", asOf=position, minPosition=position)
    assert told.code == "INVALID_REQUEST"


@about("search", "aggregate", "create")
async def test_only_reads_that_can_look_back_take_a_moment(world: World) -> None:
    position = (await world.whole("create", "Author", data={"email": fresh()}))["position"]
    given: list[tuple[str, dict[str, Json]]] = [
        ("search", {"query": "x"}),
        ("aggregate", {"stages": [{"$limit": 1}]}),
        ("updateMany", {"filter": {"email": "x"}, "data": {"rating": 1}}),
    ]
    for op, members in given:
        assert await world.outcome(op, "Author", asOf=position, **members) == "UNKNOWN_MEMBER"


@about("create", "update", "upsert", "delete", "updateMany", "deleteMany", "increment", "addToSet", "pull")
async def test_a_command_that_is_tried_out_tells_what_would_be_and_does_nothing(world: World) -> None:
    row = await world.author(rating=1, keywords=["a"])
    id, mine = row["id"], {"email": row["email"]}
    there: dict[str, Json] = {"id": id}
    tried: list[tuple[str, dict[str, Json], str, Json]] = [
        ("create", {"data": {"email": fresh()}}, "created", ("rating", 0)),
        ("update", {**there, "data": {"rating": 5}}, "updated", ("rating", 5)),
        ("upsert", {"filter": mine, "data": {"rating": 6}}, "updated", ("rating", 6)),
        ("increment", {**there, "field": "rating", "amount": 2}, "updated", ("rating", 3)),
        ("addToSet", {**there, "field": "keywords", "value": "b"}, "updated", ("keywords", ["a", "b"])),
        ("pull", {**there, "field": "keywords", "value": "a"}, "updated", ("keywords", [])),
        ("delete", there, "deleted", True),
        ("updateMany", {"filter": mine, "data": {"rating": 7}}, "updated", 1),
        ("deleteMany", {"filter": mine}, "deleted", 1),
    ]
    async with world.watching() as feed:
        for op, members, fact, expected in tried:
            told = await world.whole(op, "Author", dryRun=True, **members)
            assert "position" not in told
            if isinstance(expected, tuple):
                assert told["data"][expected[0]] == expected[1], op
            elif isinstance(expected, bool):
                assert told["data"] is expected
            else:
                assert told["metadata"]["count"] == expected
            if world.door not in _DOORS_WITHOUT_FACTS:
                [only] = told["dryRun"]["facts"]
                assert told["dryRun"]["count"] == 1
                assert (only["entity"], only["fact"]) == ("Author", fact)
        assert await feed.facts() == []
    assert await world.ask("findById", "Author", id=id) == row


@about("create", "update")
async def test_a_trial_is_refused_as_the_command_itself_would_be(world: World) -> None:
    row = await world.author()
    assert await world.outcome("create", "Author", data={"email": row["email"]}, dryRun=True) == await world.outcome(
        "create", "Author", data={"email": row["email"]}
    )
    wrong = {"id": row["id"], "data": {"rating": 2}, "expectedVersion": 7}
    assert await world.outcome("update", "Author", **wrong, dryRun=True) == "VERSION_MISMATCH"


@about("create")
async def test_a_trial_uses_up_no_key(world: World) -> None:
    key, data = fresh("key"), {"email": fresh()}
    await world.whole("create", "Author", data=data, idempotencyKey=key, dryRun=True)
    made = await world.ask("create", "Author", data=data, idempotencyKey=key)
    assert await world.ask("findById", "Author", id=made["id"]) == made


@about("findAll", "findById")
async def test_a_look_is_not_tried_out(world: World) -> None:
    if world.door == "odata":
        pytest.skip("a GET of OData does nothing anyway: what is said of commands means nothing to it")
    assert await world.outcome("findAll", "Author", dryRun=True) == "UNKNOWN_MEMBER"
