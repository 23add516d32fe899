"""What the lane promises when commands come twice, come too large, or meet trouble half way."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from jetstream.api import publish
from jetstream.command_stream import JetStreamCommands
from jetstream.connection import connect
from jetstream.log import JetStreamLog
from jetstream.server import EmbeddedServer
from octonet.access.gate import insider
from octonet.access.sealing import AesSealer, project_key
from octonet.app import Node
from octonet.config import Settings
from octonet.dialects import find
from octonet.gateway import Written
from octonet.kernel.chain import Assembler
from octonet.kernel.errors import Conflict, Exhausted, OctonetError
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.log import AppendDoubtful, Batch, LogGap, Recorded, Verdict
from octonet.kernel.operation import Request
from octonet.kernel.storage import DatabaseOptions, Strategy
from projections.engine.fold import Fold
from tests.acceptance.checker import violations
from tests.integration.conftest import SHOP, running

ME = insider("test")


async def do(node: Node, op: str, entity: str, **members: object) -> Written:
    found = await node.gateway.execute(DEFAULT_PROJECT, Request(op=op, entity=entity, **members), ME)
    assert isinstance(found, Written)
    return found


async def batches(node: Node, nats: EmbeddedServer) -> list[Batch]:
    client = await connect(nats.endpoint)
    log = JetStreamLog(client, DEFAULT_PROJECT)
    found: list[Batch] = []
    assembler = Assembler()
    async for messages in log.read(0, await log.last()):
        found += [link.entry for link in assembler.feed(messages) if isinstance(link.entry, Batch)]
    await client.close()
    return found


async def check(nats: EmbeddedServer, settings: Settings) -> list[str]:
    return await violations(nats.endpoint, Path(settings.data_dir) / "octonet.db", SHOP, [])


async def test_a_frame_that_is_stored_twice_is_decided_once(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        await do(node, "create", "Tag", data={"id": "t", "label": "one"})
        client = await connect(nats.endpoint)
        frame = (await client.jetstream().get_last_msg("OCTO_CMD_default", "octo.cmd.default")).data
        assert frame is not None
        await publish(client, "octo.cmd.default", frame, {})
        await do(node, "create", "Tag", data={"id": "u", "label": "two"})
        await client.close()
        decided = [d.command_id for batch in await batches(node, nats) for d in batch.decisions]
        assert len(decided) == len(set(decided)) == 2
    assert await check(nats, settings) == []


async def test_what_is_no_frame_is_passed_over_and_the_lane_goes_on(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        client = await connect(nats.endpoint)
        for body in (b"", b"garbage", msgspec.msgpack.encode(["", [["id", 1, [], {"op": "explode"}]]])):
            await publish(client, "octo.cmd.default", body, {})
        await client.close()
        assert (await do(node, "create", "Tag", data={"label": "after"})).outcome.verdict is Verdict.APPLIED


async def test_only_the_guilty_of_a_batch_are_rejected_each_naming_its_field(
    settings: Settings, nats: EmbeddedServer
) -> None:
    async with running(settings, nats) as node:
        wishes = [do(node, "create", "Tag", data={"label": f"label {number % 40}"}) for number in range(60)]
        found = await asyncio.gather(*wishes, return_exceptions=True)
        refused = [one for one in found if isinstance(one, OctonetError)]
        assert len(refused) == 20
        assert all(isinstance(one, Conflict) and one.faults[0].path == "$.data.label" for one in refused)
    assert await check(nats, settings) == []


async def test_a_value_held_for_a_moment_within_a_batch_still_counts(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        first, second, _, third = await asyncio.gather(
            do(node, "create", "Tag", data={"id": "a", "label": "x"}),
            do(node, "create", "Tag", data={"id": "b", "label": "x"}),
            do(node, "delete", "Tag", id="a"),
            do(node, "create", "Tag", data={"id": "c", "label": "x"}),
            return_exceptions=True,
        )
        assert isinstance(first, Written)
        assert isinstance(second, Conflict)
        assert isinstance(third, Written)
    assert await check(nats, settings) == []


async def test_a_command_larger_than_a_message_is_refused_before_it_is_sent(
    settings: Settings, nats: EmbeddedServer
) -> None:
    async with running(settings, nats) as node:
        with pytest.raises(Exhausted, match="fit one message"):
            await do(node, "create", "Note", data={"slug": "big", "body": "x" * 9_000_000})
        assert (await do(node, "create", "Note", data={"slug": "small"})).outcome.verdict is Verdict.APPLIED


async def test_an_entry_larger_than_a_message_is_appended_in_parts_and_folds_back(
    settings: Settings, nats: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = JetStreamLog.__init__

    def narrow(self: JetStreamLog, *parts: object) -> None:
        plain(self, *parts)  # type: ignore[arg-type]
        self.largest = 2_000

    monkeypatch.setattr(JetStreamLog, "__init__", narrow)
    async with running(settings, nats) as node:
        rows = [{"slug": f"s{number}", "body": "y" * 100} for number in range(50)]
        await asyncio.gather(*(do(node, "create", "Note", data=row) for row in rows))
        done = await do(node, "updateMany", "Note", filter={"slug": {"$regex": "^s"}}, data={"body": "z" * 200})
        assert done.outcome.count == 50
        told = await node.gateway.outcome(DEFAULT_PROJECT, done.outcome.command_id)
        assert told == done.outcome
        await do(node, "deleteMany", "Note", filter={"slug": {"$in": ["s1", "s2"]}})
    assert await check(nats, settings) == []
    await _replay_equals(settings, nats, tmp_path / "copy.db")


async def test_a_crash_between_two_parts_leaves_nothing_behind(
    settings: Settings, nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, plain_init = JetStreamLog.append, JetStreamLog.__init__
    appends = 0

    def narrow(self: JetStreamLog, *parts: object) -> None:
        plain_init(self, *parts)  # type: ignore[arg-type]
        self.largest = 1_000

    async def broken(self: JetStreamLog, body: bytes, after: int) -> int:
        nonlocal appends
        appends += 1
        if appends == 4:
            raise AppendDoubtful("cut off")
        return await plain(self, body, after)

    monkeypatch.setattr(JetStreamLog, "__init__", narrow)
    async with running(settings, nats) as node:
        monkeypatch.setattr(JetStreamLog, "append", broken)
        await do(node, "create", "Note", data={"slug": "one", "body": "a" * 5_000})
        assert appends > 4
        await do(node, "create", "Note", data={"slug": "two", "body": "b"})
    assert await check(nats, settings) == []


async def test_a_commit_that_fails_after_the_append_is_folded_forward(
    settings: Settings, nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from octonet.dialects.engine.transaction import SqlTransaction
    from octonet.kernel.errors import StorageUnavailable

    plain = SqlTransaction.commit
    failures = iter([True])

    async def failing(self: SqlTransaction) -> None:
        if next(failures, False):
            await self.rollback()
            raise StorageUnavailable("disk full")
        await plain(self)

    async with running(settings, nats) as node:
        monkeypatch.setattr(SqlTransaction, "commit", failing)
        written = await do(node, "create", "Tag", data={"label": "kept"})
        assert written.outcome.verdict is Verdict.APPLIED
        await node.owned()
    assert await check(nats, settings) == []


async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        await do(node, "create", "Tag", data={"label": "before"})
        os.kill(int((Path(settings.data_dir) / "nats" / "nats-server.pid").read_text()), signal.SIGKILL)
        nats.respawn()
        nats.wait_ready()
        for _ in range(50):
            try:
                await do(node, "create", "Tag", data={"label": "after"})
                break
            except OctonetError:
                await asyncio.sleep(0.1)
        else:
            pytest.fail("writes did not come back")
        assert (await do(node, "upsert", "Tag", filter={"label": "later"}, data={})).outcome.count == 1
    assert await check(nats, settings) == []


async def test_a_node_without_a_worker_writes_through_the_one_that_has_it(
    settings: Settings, nats: EmbeddedServer
) -> None:
    async with running(settings, nats), running(settings, nats, worker=False) as doors:
        written = await asyncio.gather(*(do(doors, "create", "Tag", data={"label": f"l{n}"}) for n in range(20)))
        assert {one.outcome.verdict for one in written} == {Verdict.APPLIED}


async def test_secrets_travel_sealed_and_are_stored_in_clear(settings: Settings, nats: EmbeddedServer) -> None:
    async with running(settings, nats) as node:
        written = await do(node, "create", "Customer", data={"email": "a@x", "password": "correct horse battery"})
        assert written.data is not None
        assert b"password" not in written.data
        await do(node, "update", "Customer", id=msgspec.json.decode(written.data)["id"], data={"visits": 3})
        await do(node, "updateMany", "Customer", filter={"visits": 3}, data={"password": "correct horse battery 2"})
    assert await check(nats, settings) == []
    with sqlite3.connect(Path(settings.data_dir) / "octonet.db") as database:
        assert database.execute("SELECT password FROM customers").fetchall() == [("correct horse battery 2",)]
    database.close()


async def _replay_equals(settings: Settings, nats: EmbeddedServer, copy: Path) -> None:
    from octonet.project_files import load_schemas

    schemas = load_schemas(settings.schemas_path)
    client = await connect(nats.endpoint)
    log = JetStreamLog(client, DEFAULT_PROJECT)
    database = await find("sqlite").open(f"sqlite:///{copy}", schemas, DatabaseOptions())
    await database.migrate(schemas, Strategy.UPDATE)
    sealer = AesSealer(project_key(Path(settings.data_dir) / "keys", DEFAULT_PROJECT))
    await Fold(log, database, schemas, sealer).catch_up(await log.last(), lambda _: None)
    await database.close()
    await client.close()
    assert await violations(nats.endpoint, copy, SHOP, []) == []


@pytest.mark.parametrize("times", [1, 100])
async def test_frames_that_another_owner_forgot_are_no_gap_unless_the_log_lacks_them_too(
    settings: Settings, nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    plain = JetStreamCommands.read
    gaps = 0

    async def read(self: JetStreamCommands, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        nonlocal gaps
        async for messages in plain(self, after, until):
            if self.name == "OCTO_CMD_default" and after and gaps < times:
                gaps += 1
                raise LogGap("a frame is missing")
            yield messages

    async with running(settings, nats) as node:
        await do(node, "create", "Tag", data={"id": "t", "label": "one"})
    monkeypatch.setattr(JetStreamCommands, "read", read)
    async with running(settings, nats) as node:
        if times == 1:
            await do(node, "create", "Tag", data={"label": "two"})
            return
        with pytest.raises(OctonetError):
            await do(node, "create", "Tag", data={"label": "two"})
        assert not (await node.health(DEFAULT_PROJECT)).ready
        assert gaps == 2
