"""A log over several streams, at the port: what is read, counted, dated and found missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from jetstream import subjects
from jetstream.api import Config, call
from jetstream.connection import Connection, connect
from jetstream.log import JetStreamLog
from jetstream.log_streams import LogStreams
from jetstream.restoration import kept_projects
from jetstream.server import EmbeddedServer
from jetstream.topology import StreamLimits, ensure, ensure_project, remove_project
from octonet.kernel import chain
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import Continued, LogGap, Ownership, WrongSequence

SHOP = ProjectName("shop")
LIMITS = StreamLimits()


@pytest.fixture
async def client(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    found = await connect(nats.endpoint)
    await ensure_project(found, SHOP, LIMITS)
    yield found
    await found.close()


async def _append(log: JetStreamLog, count: int) -> None:
    for _ in range(count):
        await log.append(chain.encode(Ownership(b"", "somebody", 0)), await log.last())


async def _end(log: JetStreamLog) -> None:
    await log.append(chain.encode(Continued(b"", "somebody", 0)), await log.last())


async def _rotated(log: JetStreamLog) -> None:
    await _end(log)
    await log.rotate()


async def _read(log: JetStreamLog, after: int, until: int) -> list[int]:
    return [message.sequence async for messages in log.read(after, until) for message in messages]


async def test_sequences_and_compare_and_set_go_on_in_the_next_stream(client: Connection) -> None:
    log = JetStreamLog(client, SHOP)
    await _append(log, 3)
    await _rotated(log)
    assert (log.name, await log.last()) == ("OCTO_LOG_shop~5", 4)
    with pytest.raises(WrongSequence):
        await log.append(b"", 3)
    await _append(log, 2)
    await _rotated(log)
    await _append(log, 1)
    for reader in (log, JetStreamLog(client, SHOP)):
        assert await reader.last() == 8
        for after in range(8):
            assert await _read(reader, after, 8) == list(range(after + 1, 9))
            assert await _read(reader, 0, after) == list(range(1, after + 1))


async def test_whoever_waits_at_the_end_is_led_on_whenever_the_next_stream_comes(client: Connection) -> None:
    log, heard = JetStreamLog(client, SHOP), list[int]()
    await _append(log, 2)

    async def follow(after: int) -> None:
        async for messages in JetStreamLog(client, SHOP).read(after):
            heard.extend(message.sequence for message in messages)

    early = asyncio.create_task(follow(0))
    await asyncio.sleep(0.2)
    await _end(log)
    late = asyncio.create_task(follow(3))
    await asyncio.sleep(0.5)
    await log.rotate()
    await _append(log, 2)
    async with asyncio.timeout(30):
        while sorted(heard) != [1, 2, 3, 4, 4, 5, 5]:
            await asyncio.sleep(0.05)
    for task in (early, late):
        task.cancel()
    await asyncio.gather(early, late, return_exceptions=True)


async def test_many_who_look_at_once_after_a_rotation_see_the_same_log(client: Connection) -> None:
    log, stale = JetStreamLog(client, SHOP), JetStreamLog(client, SHOP)
    for _ in range(3):
        await _append(log, 1)
        await _rotated(log)
        end = await log.last()
        assert await asyncio.gather(*(stale.last() for _ in range(16))) == [end] * 16
        reads = await asyncio.gather(*(_read(stale, 0, end) for _ in range(16)))
        assert reads == [list(range(1, end + 1))] * 16
    streams = LogStreams(client, SHOP)
    await asyncio.gather(*(streams.look() for _ in range(16)))
    assert [(one.first, one.last) for one in streams.closed] == [(1, 2), (3, 4), (5, 6)]


async def test_a_rotation_is_finished_once_and_only_where_one_was_begun(client: Connection) -> None:
    log = JetStreamLog(client, SHOP)
    assert not await log.settle()
    await _append(log, 1)
    assert not await log.settle()
    await _end(log)
    assert await JetStreamLog(client, SHOP).settle()
    assert not await log.settle()
    assert log.name == "OCTO_LOG_shop~3"


async def test_a_start_makes_no_stream_where_a_log_is_about_to_go_on(client: Connection) -> None:
    log = JetStreamLog(client, SHOP)
    await _append(log, 1)
    await _end(log)
    streams = LogStreams(client, SHOP)
    await streams.look()
    await streams._close(2)
    await ensure_project(client, SHOP, LIMITS)
    with pytest.raises(Unavailable, match="OCTO_LOG_shop~3"):
        await log.last()
    assert await log.settle()
    await ensure_project(client, SHOP, LIMITS)
    assert await log.last() == 2


async def test_the_first_entry_since_a_moment_is_found_in_any_stream(client: Connection) -> None:
    log, moments = JetStreamLog(client, SHOP), list[int]()
    for _ in range(3):
        await _append(log, 1)
        await asyncio.sleep(0.02)
        moments.append(int(time.time() * 1000))
        await asyncio.sleep(0.02)
        await _rotated(log)
    assert await log.stored_since(0) == 1
    assert [await log.stored_since(moment) for moment in moments] == [2, 4, 6]
    assert await log.stored_since(int(time.time() * 1000) + 60_000) == 7


async def test_a_message_that_is_missing_in_a_closed_stream_is_named(nats: EmbeddedServer) -> None:
    client, project = await connect(nats.endpoint), ProjectName("holed")
    try:
        config: Config = {"name": "OCTO_LOG_holed", "subjects": [subjects.log(project)], "storage": "file"}
        await ensure(client, config)
        log = JetStreamLog(client, project)
        await _append(log, 3)
        await _rotated(log)
        await _append(log, 1)
        await call(client, "STREAM.MSG.DELETE.OCTO_LOG_holed", {"seq": 2})
        with pytest.raises(LogGap, match="message 2 of stream OCTO_LOG_holed is missing"):
            await _read(log, 0, 5)
    finally:
        await client.close()


async def test_a_quota_is_for_the_whole_log(nats: EmbeddedServer) -> None:
    client, project = await connect(nats.endpoint), ProjectName("bounded")
    try:
        limits = StreamLimits(quota=100_000)
        await ensure_project(client, project, limits)
        log = JetStreamLog(client, project)
        await log.append(bytes(30_000), 0)
        await _rotated(log)
        for _ in range(2):
            info = await client.jetstream().stream_info(log.name)
            assert 60_000 < (info.config.max_bytes or 0) < 70_000
            await ensure_project(client, project, limits)
    finally:
        await client.close()


async def test_all_streams_of_a_removed_project_are_gone(client: Connection) -> None:
    log = JetStreamLog(client, SHOP)
    for _ in range(2):
        await _append(log, 1)
        await _rotated(log)
    assert SHOP in await kept_projects(client)
    await remove_project(client, SHOP)
    names = [info.config.name for info in await client.jetstream().streams_info()]
    assert [name for name in names if "shop" in str(name)] == []
    assert SHOP not in await kept_projects(client)
