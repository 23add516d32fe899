"""The one key that whoever shows none may use, as long as it counts."""

from __future__ import annotations

import asyncio

import pytest

from octonet.access.key_ring import PUBLIC_ACCOUNT, PUBLIC_LABEL
from octonet.access.keys import Scheme
from octonet.kernel.errors import Unauthenticated
from tests.unit.access.test_key_ring import World


@pytest.fixture
async def world() -> World:
    return World()


def public(world: World, **more: object) -> str:
    world.table.put("Account", PUBLIC_ACCOUNT, 1, status="active")
    return world.key(Scheme.HMAC, 1, label=PUBLIC_LABEL, account=PUBLIC_ACCOUNT, **more)[:20]


async def test_whoever_shows_no_key_is_the_public_one_which_is_looked_up_once(world: World) -> None:
    id = public(world)
    found = await asyncio.gather(*(world.ring.verify_public() for _ in range(3)))
    again = await world.ring.verify_public()
    assert {one.key for one in found} == {id}
    assert again in found
    asked = world.table.asked, world.table.selected
    await world.ring.verify_public()
    assert (world.table.asked, world.table.selected) == asked


@pytest.mark.parametrize("wrong", [{"enabled": False}, {"expiresAt": "1970-01-01T00:00:00.500Z"}])
async def test_a_public_key_that_does_not_count_lets_nobody_in(world: World, wrong: dict[str, object]) -> None:
    public(world, **wrong)
    for _ in range(2):
        with pytest.raises(Unauthenticated, match="API key required"):
            await world.ring.verify_public()
    assert world.table.selected == 1


async def test_a_public_key_that_is_revoked_or_comes_back_counts_so_at_once(world: World) -> None:
    id = public(world)
    found = await world.ring.verify_public()
    world.change_id(id, 2, enabled=False)
    world.ring.hear("ApiKey", id, 2)
    assert found.revoked
    with pytest.raises(Unauthenticated):
        await world.ring.verify_public()
    world.change_id(id, 3, enabled=True)
    world.ring.hear("ApiKey", id, 3)
    assert (await world.ring.verify_public()).key == id


async def test_a_public_key_that_was_rotated_is_replaced_by_the_new_one(world: World) -> None:
    public(world, expiresAt="1970-01-01T00:00:00.500Z")
    id = public(world)
    assert (await world.ring.verify_public()).key == id


async def test_without_a_public_key_nobody_comes_in_without_one(world: World) -> None:
    with pytest.raises(Unauthenticated):
        await world.ring.verify_public()
