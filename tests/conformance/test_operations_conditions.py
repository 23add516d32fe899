"""What a request may demand: to be carried out once, to find a row at a version, to see what was written before."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.conformance.clients import Json
from tests.conformance.world import World, about, fresh


async def _told(world: World, op: str, **members: Json) -> dict[str, Json]:
    """The whole answer, without what the client called its request."""
    return {name: value for name, value in (await world.whole(op, "Author", **members)).items() if name != "requestId"}


@about("create")
async def test_a_request_that_is_repeated_under_its_key_has_one_effect_and_one_outcome(world: World) -> None:
    key, email = fresh("key"), fresh()
    async with world.watching() as feed:
        first = await _told(world, "create", data={"email": email}, idempotencyKey=key)
        again = await _told(world, "create", data={"email": email}, idempotencyKey=key)
        facts = await feed.facts()
    assert again == first
    assert [fact.id for fact in facts] == [first["data"]["id"]]


@about("increment")
async def test_a_repeated_increment_counts_once(world: World) -> None:
    id, key = (await world.author())["id"], fresh("key")
    asked = {"id": id, "field": "rating", "amount": 5, "idempotencyKey": key}
    assert [(await world.ask("increment", "Author", **asked))["rating"] for _ in range(3)] == [5, 5, 5]
    assert (await world.ask("findById", "Author", id=id))["rating"] == 5


@about("delete", "updateMany", "deleteMany", "upsert")
async def test_the_first_answer_is_given_whatever_happened_since(world: World) -> None:
    id, email = (await world.author())["id"], fresh()
    keys = [fresh("key") for _ in range(4)]
    asked: list[tuple[str, dict[str, object]]] = [
        ("updateMany", {"filter": {"id": id}, "data": {"rating": 3}, "idempotencyKey": keys[0]}),
        ("upsert", {"filter": {"email": email}, "data": {"rating": 1}, "idempotencyKey": keys[1]}),
        ("delete", {"id": id, "idempotencyKey": keys[2]}),
        ("deleteMany", {"filter": {"email": email}, "idempotencyKey": keys[3]}),
    ]
    first = [await _told(world, op, **members) for op, members in asked]
    assert [await _told(world, op, **members) for op, members in asked] == first


@about("create")
async def test_a_rejection_is_repeated_too(world: World) -> None:
    key, email = fresh("key"), fresh()
    taken = await world.author(email=email)
    first = await world.refused("create", "Author", data={"email": email}, idempotencyKey=key)
    await world.ask("delete", "Author", id=taken["id"])
    assert await world.refused("create", "Author", data={"email": email}, idempotencyKey=key) == first
    assert first.code == "UNIQUE_VIOLATION"


@about("create")
async def test_another_request_under_the_same_key_is_refused(world: World) -> None:
    key, email = fresh("key"), fresh()
    await world.ask("create", "Author", data={"email": email}, idempotencyKey=key)
    refused = await world.outcome("create", "Author", data={"email": email, "rating": 1}, idempotencyKey=key)
    assert refused == "IDEMPOTENCY_KEY_REUSED"
    other = await world.outcome("delete", "Author", id="whatever", idempotencyKey=key)
    assert other == "IDEMPOTENCY_KEY_REUSED"
    assert await world.ask("count", "Author", filter={"email": email}) == 1


@about("create")
async def test_copies_at_the_same_moment_have_one_effect(world: World) -> None:
    key, email = fresh("key"), fresh()
    told = Counter(
        await asyncio.gather(
            *(world.outcome("create", "Author", data={"email": email}, idempotencyKey=key) for _ in range(10))
        )
    )
    assert told["ok"] >= 1
    assert told.keys() <= {"ok", "IDEMPOTENCY_KEY_IN_FLIGHT"}
    assert await world.ask("count", "Author", filter={"email": email}) == 1


@about("create")
@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tin it"])
async def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    email = fresh()
    assert await world.outcome("create", "Author", data={"email": email}, idempotencyKey=key) in (
        "INVALID_IDEMPOTENCY_KEY",
        "BAD_REQUEST",
    )
    assert await world.ask("count", "Author", filter={"email": email}) == 0


@about("update", "increment", "addToSet", "pull", "delete")
async def test_a_row_is_changed_only_at_the_version_that_was_expected(world: World) -> None:
    made = await world.whole("create", "Author", data={"email": fresh()})
    id = made["data"]["id"]
    assert made["version"] == 1
    second = await world.whole("update", "Author", id=id, data={"rating": 2}, expectedVersion=1)
    assert second["version"] == 2
    for op, members in (
        ("update", {"data": {"rating": 9}}),
        ("increment", {"field": "rating", "amount": 1}),
        ("addToSet", {"field": "keywords", "value": "x"}),
        ("pull", {"field": "keywords", "value": "x"}),
        ("delete", {}),
    ):
        assert await world.outcome(op, "Author", id=id, expectedVersion=1, **members) == "VERSION_MISMATCH"
    assert (await world.ask("findById", "Author", id=id))["rating"] == 2
    assert await world.ask("delete", "Author", id=id, expectedVersion=2) is True


@about("update")
async def test_any_version_is_enough_where_only_a_row_is_expected(world: World) -> None:
    id = (await world.author())["id"]
    assert (await world.ask("update", "Author", id=id, data={"rating": 4}, expectedVersion="*"))["rating"] == 4
    told = await world.outcome("update", "Author", id=fresh(), data={"rating": 4}, expectedVersion="*")
    assert told == "VERSION_MISMATCH"


@about("update")
async def test_of_many_who_expect_one_version_one_succeeds(world: World) -> None:
    id = (await world.author())["id"]
    told = await asyncio.gather(
        *(world.outcome("update", "Author", id=id, data={"rating": n}, expectedVersion=1) for n in range(1, 21))
    )
    assert Counter(told) == {"ok": 1, "VERSION_MISMATCH": 19}


@about("update", "create")
@pytest.mark.parametrize("version", [0, -1, 1.5, "one", True])
async def test_a_version_that_is_none_is_refused(world: World, version: object) -> None:
    id = (await world.author())["id"]
    told = await world.outcome("update", "Author", id=id, data={"rating": 4}, expectedVersion=version)
    assert told == "INVALID_VERSION"


@about("create", "updateMany")
async def test_what_has_no_row_yet_has_no_version_to_expect(world: World) -> None:
    told = await world.outcome("create", "Author", data={"email": fresh()}, expectedVersion=1)
    assert told == "UNKNOWN_MEMBER"
    told = await world.outcome("updateMany", "Author", filter={"rating": 1}, data={"rating": 2}, expectedVersion=1)
    assert told == "UNKNOWN_MEMBER"


@about("findById", "findAll", "count")
async def test_a_read_sees_what_was_written_up_to_a_position(world: World) -> None:
    for _ in range(20):
        written = await world.whole("create", "Author", data={"email": fresh()})
        id, position = written["data"]["id"], written["position"]
        assert await world.ask("findById", "Author", id=id, minPosition=position) == written["data"]
        assert await world.ask("count", "Author", filter={"id": id}, minPosition=position) == 1


@about("findById")
@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p[1:] + p[0], lambda p: "", lambda p: "nonsense"])
async def test_a_position_that_was_tampered_with_is_refused(world: World, change: object) -> None:
    assert callable(change)
    written = await world.whole("create", "Author", data={"email": fresh()})
    told = await world.refused("findById", "Author", id="x", minPosition=change(written["position"]))
    assert told.code == "INVALID_POSITION"
