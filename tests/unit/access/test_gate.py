"""Who is let in without another look, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from octonet.access.gate import Gate
from octonet.access.key_ring import PUBLIC_ACCOUNT
from octonet.access.permissions import Permissions
from octonet.access.principal import INSIDER, Caller, Principal, Visitor
from octonet.access.usage import Usage, Use
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import StorageUnavailable, Unauthenticated
from octonet.kernel.ids import ProjectName
from octonet.kernel.operation import Family
from tests.unit.access.test_key_ring import World
from tests.unit.access.test_public_key import public

SHOP = ProjectName("shop")
NOTHING = Permissions({})
HERE = Actor(transport="rest", address="127.0.0.1")


@pytest.fixture
async def world() -> World:
    return World()


async def _admit(gate: Gate, text: str, actor: Actor = HERE) -> Visitor:
    return await gate.admit(Caller(actor, text))


async def test_who_comes_again_is_known_by_key_door_and_place(world: World) -> None:
    gate, text = Gate(world.ring), world.key()
    assert gate.known(text, "rest", "127.0.0.1") is None
    found = await _admit(gate, text)
    assert gate.known(text, "rest", "127.0.0.1") is found
    assert (found.actor.key, found.actor.transport, found.actor.address) == (text[:20], "rest", "127.0.0.1")
    for other in ((text, "ws", "127.0.0.1"), (text, "rest", "127.0.0.2"), (text[:-1] + "!", "rest", "127.0.0.1")):
        assert gate.known(*other) is None


async def test_a_revoked_key_is_not_known_any_more(world: World) -> None:
    gate, text = Gate(world.ring), world.key()
    await _admit(gate, text)
    world.change(text, 2, enabled=False)
    world.ring.hear("ApiKey", text[:20], 2)
    assert gate.known(text, "rest", "127.0.0.1") is None
    with pytest.raises(Unauthenticated):
        await _admit(gate, text)


async def test_an_expiring_key_is_known_no_longer_than_it_lasts(world: World) -> None:
    gate, text = Gate(world.ring), world.key(expiresAt="1970-01-01T00:00:02.000Z")
    await _admit(gate, text)
    assert gate.known(text, "rest", "127.0.0.1") is not None
    await asyncio.sleep(1.01)
    assert gate.known(text, "rest", "127.0.0.1") is None


async def test_while_no_facts_are_heard_nobody_is_known(world: World) -> None:
    gate, text = Gate(world.ring), world.key()
    await _admit(gate, text)
    world.ring.distrust()
    assert gate.known(text, "rest", "127.0.0.1") is None
    await _admit(gate, text)
    assert gate.known(text, "rest", "127.0.0.1") is None


async def test_what_one_request_tells_of_itself_is_not_kept_for_the_next(world: World) -> None:
    gate, text = Gate(world.ring), world.key()
    told = await _admit(gate, text, Actor(transport="rest", address="127.0.0.1", correlation="once"))
    assert told.actor.correlation == "once"
    assert gate.known(text, "rest", "127.0.0.1") is None


async def test_whoever_shows_nothing_is_let_in_under_the_public_key_where_a_door_asks_for_it(world: World) -> None:
    gate, id = Gate(world.ring), public(world)
    found = await gate.admit_public(HERE)
    assert (found.principal.key, found.actor.key, found.actor.account) == (id, id, PUBLIC_ACCOUNT)
    assert (found.actor.transport, found.actor.address) == ("rest", "127.0.0.1")
    # No other door takes nothing for a key.
    assert gate.known("", "rest", "127.0.0.1") is None
    with pytest.raises(Unauthenticated):
        await _admit(gate, "")
    assert (await Gate(None).admit_public(HERE)).principal is INSIDER


async def test_what_may_be_asked_of_a_project_is_what_all_scopes_grant(world: World) -> None:
    scopes = {"projects": ["shop"], "operations": ["read", "admin"], "transports": ["rest"]}
    text = world.key(permissions=scopes)
    principal = (await _admit(Gate(world.ring), text)).principal
    for _ in range(2):
        assert principal.families(SHOP, "rest") == {Family.READ, Family.ADMIN}
        assert principal.families(SHOP, "ws") == principal.families(ProjectName("crm"), "rest") == frozenset()
    assert INSIDER.families(SHOP, "ws") == set(Family)
    principal.revoke()
    assert principal.families(SHOP, "rest") == frozenset()


async def test_every_use_is_written_once_whatever_fails_meanwhile() -> None:
    written: list[tuple[str, int, str]] = []
    away = True

    async def write(key: str, at: str, use: Use) -> None:
        if away:
            raise StorageUnavailable
        written.append((key, use.count, use.address))

    usage = Usage(write, lambda: 0)
    before, after = Principal("k", "", NOTHING), Principal("k", "", NOTHING)
    for principal, address in ((before, "1"), (before, "2"), (after, "3")):
        usage.count(principal, address)
    await usage.flush()
    usage.count(after, "4")
    away = False
    await usage.flush()
    await usage.flush()
    assert written == [("k", 4, "4")]
