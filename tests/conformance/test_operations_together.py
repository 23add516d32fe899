"""Many clients at once: what each is told adds up."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

from tests.conformance.clients import enter
from tests.conformance.world import World, about, fresh


async def _crowd(world: World, stack: AsyncExitStack, size: int) -> list[World]:
    """So many more connections through the same door."""
    calls = [await stack.enter_async_context(enter(world.door, world.site)) for _ in range(size)]
    return [World(world.site, world.door, call) for call in calls]


@about("increment")
async def test_two_hundred_increments_through_sixteen_connections_add_up(world: World) -> None:
    id = (await world.author())["id"]
    async with AsyncExitStack() as stack, world.watching() as feed:
        crowd = await _crowd(world, stack, 16)
        seen = await asyncio.gather(
            *(crowd[n % 16].ask("increment", "Author", id=id, field="rating", amount=1) for n in range(200))
        )
        facts = await feed.facts()
    assert sorted(row["rating"] for row in seen) == list(range(1, 201))
    assert (await world.ask("findById", "Author", id=id))["rating"] == 200
    assert [fact.data["rating"] for fact in facts] == list(range(1, 201))
    assert [fact.version for fact in facts] == list(range(2, 202))


@about("create")
async def test_of_fifty_creates_of_one_unique_value_exactly_one_succeeds(world: World) -> None:
    email = fresh()
    async with AsyncExitStack() as stack, world.watching() as feed:
        crowd = await _crowd(world, stack, 50)
        told = await asyncio.gather(*(one.outcome("create", "Author", data={"email": email}) for one in crowd))
        facts = await feed.facts()
    assert Counter(told) == {"ok": 1, "UNIQUE_VIOLATION": 49}
    assert [fact.op for fact in facts] == ["create"]
    assert await world.ask("count", "Author", filter={"email": email}) == 1


@about("upsert")
async def test_concurrent_upserts_make_one_row(world: World) -> None:
    email = fresh()
    async with AsyncExitStack() as stack, world.watching() as feed:
        crowd = await _crowd(world, stack, 10)
        rows = await asyncio.gather(
            *(one.ask("upsert", "Author", filter={"email": email}, data={"rating": n}) for n, one in enumerate(crowd))
        )
        facts = await feed.facts()
    assert len({row["id"] for row in rows}) == 1
    assert [fact.subject for fact in facts].count("mostajs.Author.created") == 1


@about("addToSet", "pull")
async def test_concurrent_elements_are_all_kept(world: World) -> None:
    id = (await world.author(keywords=["z"]))["id"]
    async with AsyncExitStack() as stack:
        crowd = await _crowd(world, stack, 8)
        await asyncio.gather(
            *(one.ask("addToSet", "Author", id=id, field="keywords", value=f"k{n % 4}") for n, one in enumerate(crowd)),
            world.ask("pull", "Author", id=id, field="keywords", value="z"),
        )
    assert sorted((await world.ask("findById", "Author", id=id))["keywords"]) == ["k0", "k1", "k2", "k3"]


@about("create", "delete")
async def test_a_reference_and_the_deletion_of_its_target_never_cross(world: World) -> None:
    authors = [(await world.author())["id"] for _ in range(10)]
    async with AsyncExitStack() as stack:
        crowd = await _crowd(world, stack, 20)
        told = await asyncio.gather(
            *(one.outcome("delete", "Author", id=authors[n]) for n, one in enumerate(crowd[:10])),
            *(one.outcome("create", "Book", data={"title": fresh(), "author": authors[n]})
              for n, one in enumerate(crowd[10:])),
        )  # fmt: skip
    assert set(told[:10]) == {"ok"}
    assert set(told[10:]) <= {"ok", "REFERENCE_NOT_FOUND"}
    assert await world.ask("count", "Book", filter={"author": {"$in": authors}}) == 0
