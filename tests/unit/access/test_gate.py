"""Who is let in without another look, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from octonet.access.gate import Gate
from octonet.access.permissions import Permissions
from octonet.access.principal import Caller, Principal, Visitor
from octonet.access.usage import Usage, Use
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import StorageUnavailable, Unauthenticated
from tests.unit.access.test_key_ring import World

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
    gate, text = Gate(world.ring), world.key(expiresAt="1970-01-01T00:00:01.050Z")
    await _admit(gate, text)
    assert gate.known(text, "rest", "127.0.0.1") is not None
    await asyncio.sleep(0.06)
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
