"""What was written before a member was added is read as it was meant."""

from __future__ import annotations

import msgspec

from octonet.kernel.envelope import Actor, Origin

_AN_EARLIER_ACTOR = bytes.fromhex("98a17ba0a472657374a0a0a0a0a0")


def test_an_actor_of_an_earlier_build_came_from_nowhere_else() -> None:
    found = msgspec.msgpack.decode(_AN_EARLIER_ACTOR, type=Actor)
    assert (found.key, found.transport, found.origin) == ("{", "rest", None)


def test_an_origin_is_read_as_it_was_written() -> None:
    actor = Actor(origin=Origin("r", ("a", "b"), 7, (3, 1), "Item", "x"))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(actor), type=Actor) == actor
