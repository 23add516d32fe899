"""Trouble on the command stream: unreadable frames are put aside once, a poison command is rejected alone."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from commands.create import Create
from jetstream.api import ApiError, call, publish
from jetstream.connection import connect
from jetstream.dead_letters import JetStreamDeadLetters
from jetstream.server import EmbeddedServer
from octonet.app import Node
from octonet.config import Settings
from octonet.dialects.engine.transaction import SqlTransaction
from octonet.gateway import Written
from octonet.kernel.errors import Internal, OctonetError, StorageUnavailable, Unavailable
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.log import DeadLetter, Verdict
from octonet.kernel.operation import Decided, Moment, Session
from octonet.kernel.schema import EntitySchema
from tests.integration.conftest import running
from tests.integration.test_lane import batches, check, do

GOOD = [
    "good",
    1_700_000_000_000,
    [],
    {"op": "create", "entity": "Tag", "id": "salvaged", "data": {"label": "salvaged"}},
]
BAD = ["bad", 1, [], {"op": "explode"}]


async def put(nats: EmbeddedServer, *bodies: bytes) -> list[int]:
    client = await connect(nats.endpoint)
    try:
        return [(await publish(client, "octo.cmd.default", body, {})).seq for body in bodies]
    finally:
        await client.close()


async def letters(nats: EmbeddedServer) -> list[DeadLetter]:
    client = await connect(nats.endpoint)
    found = [letter async for letter in JetStreamDeadLetters(client, DEFAULT_PROJECT).all()]
    await client.close()
    return found


async def passed(node: Node) -> None:
    """The lane has decided everything before this."""
    await do(node, "create", "Tag", data={"label": "passed"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        msgspec.msgpack.encode(["", [BAD]]),
        b"\x92\xa0\x91\x94\xa1\xff\x01\x90\x80",
        b"\x92\xa0\x91" + b"\x91" * 5_000 + b"\x01",
    ],
    ids=["nothing", "garbage", "unknown command", "broken text", "nested without end"],
)
async def test_what_cannot_be_read_is_put_aside_as_it_was(
    settings: Settings, nats: EmbeddedServer, body: bytes
) -> None:
    async with running(settings, nats) as node:
        [frame] = await put(nats, body)
        await passed(node)
    [letter] = await letters(nats)
    assert (letter.frame, letter.body) == (frame, body)
    assert letter.reason
    assert letter.at > 1_700_000_000_000


async def test_the_readable_commands_of_a_broken_frame_are_decided(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        await put(nats, msgspec.msgpack.encode(["", [BAD, GOOD]]))
        await passed(node)
        decided = [d.command_id for batch in await batches(node, nats) for d in batch.decisions]
        assert "good" in decided
        assert "bad" not in decided
    [letter] = await letters(nats)
    assert letter.reason.startswith("envelope 1 of 2: ")
    assert await check(nats, settings) == []


async def test_a_frame_that_is_seen_again_after_a_crash_leaves_one_letter(
    settings: Settings, nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SqlTransaction.commit
    failures = 0

    async def failing(self: SqlTransaction) -> None:
        nonlocal failures
        if failures < 2:
            failures += 1
            await self.rollback()
            raise StorageUnavailable("cut off before the checkpoint passed the frame")
        await plain(self)

    async with running(settings, nats) as node:
        monkeypatch.setattr(SqlTransaction, "commit", failing)
        await put(nats, b"garbage")
        await passed(node)
        assert failures == 2
    assert len(await letters(nats)) == 1


async def test_a_letter_that_cannot_be_stored_is_not_lost_and_holds_its_frame_back(
    settings: Settings, nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = JetStreamDeadLetters.put
    refusals = 0

    async def refusing(self: JetStreamDeadLetters, frame: int, reason: str, at: int, body: bytes) -> None:
        nonlocal refusals
        if refusals < 3:
            refusals += 1
            raise Unavailable("the broker is away")
        await plain(self, frame, reason, at, body)

    async with running(settings, nats) as node:
        monkeypatch.setattr(JetStreamDeadLetters, "put", refusing)
        await put(nats, b"garbage")
        await passed(node)
        assert refusals == 3
    assert len(await letters(nats)) == 1


async def test_a_dead_letter_stream_that_was_deleted_is_made_again(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        client = await connect(nats.endpoint)
        await call(client, "STREAM.DELETE.OCTO_DEAD_default")
        await client.close()
        await put(nats, b"garbage")
        await passed(node)
    assert len(await letters(nats)) == 1


async def test_the_largest_frame_there_can_be_fits_a_letter(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        body = b"\xc1" * (8 * 1024 * 1024 - 1024)
        await put(nats, body)
        with pytest.raises(ApiError, match="message size exceeds maximum"):
            await put(nats, body + b"\xc1")
        await passed(node)
    [letter] = await letters(nats)
    assert letter.body == body


async def test_a_poison_command_is_rejected_alone_and_the_rejection_is_told_again_after_a_restart(
    settings: Settings, nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Create.decide

    async def poisoned(self: Create, session: Session, schema: EntitySchema, moment: Moment) -> Decided:
        if self.data.get("label") == "poison":
            raise TypeError("a fault of ours")
        return await plain(self, session, schema, moment)

    monkeypatch.setattr(Create, "decide", poisoned)
    labels = [f"good {n}" for n in range(25)] + ["poison"] + [f"good {n}" for n in range(25, 50)]
    async with running(settings, nats) as node:
        wishes = [do(node, "create", "Tag", data={"label": label}) for label in labels]
        found = await asyncio.gather(*wishes, return_exceptions=True)
        [refused] = [one for one in found if isinstance(one, OctonetError)]
        assert isinstance(refused, Internal)
        assert sum(isinstance(one, Written) and one.outcome.verdict is Verdict.APPLIED for one in found) == 50
        [batch] = [batch for batch in await batches(node, nats) if len(batch.decisions) > 1]
        assert len(batch.decisions) == 51
        [rejected] = [decision for decision in batch.decisions if decision.verdict is Verdict.REJECTED]
    async with running(settings, nats) as node:
        told = await node.gateway.outcome(DEFAULT_PROJECT, rejected.command_id)
        assert told is not None
        assert told.rejection is not None
        assert told.rejection.code == "INTERNAL"
    assert await check(nats, settings) == []
