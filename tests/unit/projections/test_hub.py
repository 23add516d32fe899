"""The hub: every fact that is wanted, in order, once, encoded once per group."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Invalid
from octonet.kernel.event import Event, Fact
from octonet.kernel.filter import Compare, Comparison
from octonet.kernel.ids import CommandId, EntityId, ProjectName
from octonet.kernel.log import Batch, Decision, LogGap, Ownership, Verdict
from octonet.kernel.position import START, Position, Positions
from octonet.kernel.schema_parse import parse
from projections.engine.hub import Hub
from projections.engine.live import Interest, Live
from tests.unit.transports.memory import MemoryLog

POSITIONS = Positions(ProjectName("default"), b"key")
SCHEMAS = parse(
    json.dumps(
        [
            {"name": "A", "collection": "as", "fields": {"n": {"type": "number"}, "password": {"type": "string"}}},
            {"name": "B", "collection": "bs", "fields": {"n": {"type": "number"}}},
        ]
    )
)


def decision(*events: Event, op: str = "create") -> Decision:
    return Decision(CommandId("c"), op, "A", 0, Actor(), Verdict.APPLIED, events)


def created(n: int, entity: str = "B") -> Event:
    return Event(Fact.CREATED, entity, EntityId(str(n)), 1, json.dumps({"id": str(n), "n": n}).encode())


def deleted(n: int, entity: str = "B") -> Event:
    return Event(Fact.DELETED, entity, EntityId(str(n)), 2, None)


def encode(facts: list[Live]) -> bytes:
    return b"".join(b"%d " % int(fact.id) for fact in facts)


class Listener:
    """Implements `Subscriber`: keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.last = START
        self.reason = ""
        self.room = asyncio.Event()
        self.room.set()

    def send(self, frames: bytes, last: Position) -> None:
        self.frames.append(frames)
        assert last > self.last
        self.last = last

    async def drained(self) -> None:
        await self.room.wait()

    def cut(self, reason: str) -> None:
        self.reason = reason

    @property
    def heard(self) -> list[int]:
        return [int(word) for word in b"".join(self.frames).split()]


class Stage:
    """A hub over a log in memory."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.hub = Hub(POSITIONS, SCHEMAS, self.log, linger=0.0)

    def say(self, *decisions: Decision, largest: int = 1 << 20) -> int:
        return self.log.append(Batch(self.log.digest, 0, decisions), largest)


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_subscriber_hears_what_happens_after_it_joined() -> None:
    stage, listener = Stage(), Listener()
    stage.say(decision(created(1)))
    subscription = await stage.hub.join(Interest(), encode, listener)
    await settle()
    stage.say(decision(created(2)), decision(created(3), created(4)))
    await settle()
    assert listener.heard == [2, 3, 4]
    assert listener.last == Position(2, 2)
    subscription.leave()
    stage.say(decision(created(5)))
    await settle()
    assert listener.heard == [2, 3, 4]


async def test_what_one_read_of_the_log_brings_is_one_write() -> None:
    stage, listener = Stage(), Listener()
    await stage.hub.join(Interest(), encode, listener)
    await settle()
    stage.say(decision(created(1)))
    stage.say(decision(created(2)))
    await settle()
    assert listener.frames == [b"1 2 "]
    await stage.hub.close()


async def test_equal_subscribers_share_one_encoding() -> None:
    stage = Stage()
    calls = 0

    def counting(facts: list[Live]) -> bytes:
        nonlocal calls
        calls += 1
        return encode(facts)

    listeners = [Listener() for _ in range(10)]
    for listener in listeners:
        await stage.hub.join(Interest(frozenset({"B"})), counting, listener)
    await settle()
    stage.say(decision(created(1)))
    await settle()
    assert calls == 1
    assert all(listener.frames[0] is listeners[0].frames[0] for listener in listeners)
    await stage.hub.close()


async def test_nothing_is_sent_before_the_caller_next_awaits() -> None:
    stage, listener = Stage(), Listener()
    stage.say(decision(created(1)))
    await stage.hub.join(Interest(), encode, listener, START)
    assert listener.frames == []
    await settle()
    assert listener.heard == [1]
    await stage.hub.close()


async def test_secrets_are_dropped_and_other_rows_pass_as_they_are() -> None:
    stage = Stage()
    facts: list[Live] = []
    await stage.hub.join(Interest(), lambda found: facts.extend(found) or b"", Listener())  # type: ignore[func-returns-value]  # a list is kept
    await settle()
    secret = json.dumps({"id": "1", "n": 1, "password": {"$sealed": "x"}}).encode()
    plain = created(2)
    stage.say(decision(Event(Fact.CREATED, "A", EntityId("1"), 1, secret), plain, op="upsert"))
    await settle()
    assert json.loads(facts[0].data or b"") == {"id": "1", "n": 1}
    assert facts[1].data == plain.data
    assert [fact.name for fact in facts] == ["entity.upserted", "entity.upserted"]
    await stage.hub.close()


async def test_facts_of_an_entity_the_schema_does_not_know_are_left_out_but_counted() -> None:
    stage, listener = Stage(), Listener()
    await stage.hub.join(Interest(), encode, listener)
    await settle()
    stage.say(decision(created(1, "Gone"), created(2)))
    await settle()
    assert listener.heard == [2]
    assert listener.last == Position(1, 1)
    await stage.hub.close()


async def test_an_interest_names_entities_and_looks_at_the_row_after_the_change() -> None:
    stage, listener = Stage(), Listener()
    interest = Interest(frozenset({"B"}), Compare("n", Comparison.GTE, 2))
    await stage.hub.join(interest, encode, listener)
    await settle()
    stage.say(decision(created(1), created(2), created(3, "A"), deleted(1), deleted(3, "A")))
    await settle()
    assert listener.heard == [2, 1]
    await stage.hub.close()


async def test_a_position_beyond_the_end_is_refused() -> None:
    stage = Stage()
    stage.say(decision(created(1)))
    with pytest.raises(Invalid) as refused:
        await stage.hub.join(Interest(), encode, Listener(), Position(2, 0))
    assert refused.value.code == "INVALID_POSITION"
    await settle()
    assert stage.log.readers == 0


async def test_a_resumed_tail_begins_behind_its_position_even_inside_an_entry() -> None:
    stage, listener = Stage(), Listener()
    stage.say(decision(created(1)))
    stage.say(decision(created(2), created(3)), decision(created(4)))
    stage.say(decision(created(5)))
    await stage.hub.join(Interest(), encode, listener, Position(2, 1))
    await settle()
    stage.say(decision(created(6)))
    await settle()
    assert listener.heard == [4, 5, 6]
    await stage.hub.close()


async def test_facts_of_an_entry_in_parts_are_heard_live_and_when_resumed_inside_it() -> None:
    stage, live, resumed = Stage(), Listener(), Listener()
    await stage.hub.join(Interest(), encode, live)
    await settle()
    at = stage.say(decision(*(created(n) for n in range(1, 30))), largest=300)
    assert at > 3
    stage.say(decision(created(30)))
    await settle()
    assert live.heard == list(range(1, 31))
    await stage.hub.join(Interest(), encode, resumed, Position(at, 27))
    await settle()
    assert resumed.heard == [29, 30]
    await stage.hub.close()


async def test_one_who_joins_between_the_parts_of_an_entry_hears_it_when_it_is_whole() -> None:
    stage, listener = Stage(), Listener()
    whole = MemoryLog()
    whole.append(Batch(b"", 0, (decision(*(created(n) for n in range(1, 30))),)), 300)
    stage.log.messages = whole.messages[:2]
    await stage.hub.join(Interest(), encode, listener)
    await settle()
    stage.log.messages = whole.messages
    stage.log._stir()
    await settle()
    assert listener.heard == list(range(1, 30))
    await stage.hub.close()


async def test_records_that_are_no_facts_are_passed_over() -> None:
    stage, listener = Stage(), Listener()
    await stage.hub.join(Interest(), encode, listener)
    await settle()
    stage.log.append(Ownership(stage.log.digest, "w", 0))
    stage.say(decision())
    stage.say(decision(created(1)))
    await settle()
    assert listener.heard == [1]
    assert listener.last == Position(3, 0)
    await stage.hub.close()


async def test_the_past_is_sent_only_as_fast_as_it_is_taken() -> None:
    stage, listener = Stage(), Listener()
    stage.say(decision(created(1)))
    listener.room.clear()
    await stage.hub.join(Interest(), encode, listener, START)
    await settle()
    stage.say(decision(created(2)))
    await settle()
    assert listener.heard == [1]
    listener.room.set()
    await settle()
    assert listener.heard == [1, 2]
    await stage.hub.close()


@pytest.mark.parametrize("problem", [LogGap("a message is missing"), OSError("gone")])
async def test_a_broken_tail_cuts_everyone_and_can_be_joined_again(problem: Exception) -> None:
    stage, first, late = Stage(), Listener(), Listener()
    await stage.hub.join(Interest(), encode, first)
    await settle()
    stage.say(decision(created(1)))
    await settle()
    stage.log.break_off(problem)
    await settle()
    assert first.reason
    await stage.hub.join(Interest(), encode, late, first.last)
    stage.say(decision(created(2)))
    await settle()
    assert (first.heard, late.heard) == ([1], [2])
    await stage.hub.close()


async def test_an_encoder_that_fails_cuts_its_subscribers_instead_of_leaving_them_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def failing(facts: list[Live]) -> bytes:
        raise KeyError("bug")

    stage, live, resuming = Stage(), Listener(), Listener()
    await stage.hub.join(Interest(), failing, live)
    await settle()
    stage.say(decision(created(1)))
    await settle()
    assert live.reason
    await stage.hub.join(Interest(), failing, resuming, START)
    await settle()
    assert resuming.reason
    assert "broke off" in caplog.text
    await stage.hub.close()


async def test_the_tail_ends_with_its_last_subscriber_and_begins_again_with_the_next() -> None:
    stage = Stage()
    for n in range(1, 3):
        listener = Listener()
        one = await stage.hub.join(Interest(), encode, listener)
        other = await stage.hub.join(Interest(), encode, Listener())
        await settle()
        assert stage.log.readers == 1
        stage.say(decision(created(n)))
        await settle()
        assert listener.heard == [n]
        one.leave()
        await settle()
        assert stage.log.readers == 1
        other.leave()
        other.leave()
        await settle()
        assert stage.log.readers == 0


async def test_close_tells_everyone_why() -> None:
    stage, live, waiting = Stage(), Listener(), Listener()
    stage.say(decision(created(1)))
    await stage.hub.join(Interest(), encode, live)
    waiting.room.clear()
    await stage.hub.join(Interest(), encode, waiting, START)
    await settle()
    await stage.hub.close()
    assert (live.reason, waiting.reason) == ("Server shutting down",) * 2
    assert stage.log.readers == 0


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    joins=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 4)), max_size=5),
    largest=st.sampled_from([300, 1 << 20]),
    pauses=st.lists(st.integers(0, 6), min_size=12, max_size=12),
)
async def test_whoever_joins_whenever_hears_exactly_the_facts_behind_its_position(
    entries: list[int], joins: list[tuple[int, int, int]], largest: int, pauses: list[int]
) -> None:
    stage = Stage()
    told: list[tuple[Position, int]] = []
    heard: list[tuple[Position, Listener]] = []
    for number, size in enumerate(entries):
        for when, entry, index in joins:
            if when == number and entry <= await stage.log.last():
                listener = Listener()
                after = Position(entry, index)
                await stage.hub.join(Interest(), encode, listener, after)
                heard.append((after, listener))
        events = tuple(created(len(told) + n) for n in range(size))
        at = stage.say(decision(*events), largest=largest)
        told += [(Position(at, n), len(told)) for n in range(size)]
        told = [(where, n) for n, (where, _) in enumerate(told)]
        for _ in range(pauses[number]):
            await asyncio.sleep(0)
    await settle()
    await settle()
    for after, listener in heard:
        assert listener.heard == [n for where, n in told if where > after]
    await stage.hub.close()
