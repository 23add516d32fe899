"""The past of a project while its log is still being read, ends in pieces, or is another than before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from octonet.kernel import schema_parse
from octonet.kernel.chain import encode
from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Invalid, Unavailable
from octonet.kernel.event import Event, Fact
from octonet.kernel.filter import Options
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.log import Batch, Decision, Part, Recorded, SchemaChanged, Verdict
from octonet.kernel.past import Moment
from octonet.kernel.position import Position
from octonet.past.past import ProjectPast
from tests.unit.transports.memory import MemoryLog

SCHEMAS = schema_parse.parse(json.dumps([{"name": "Item", "collection": "items", "fields": {"n": {"type": "number"}}}]))
ITEM = SCHEMAS.entities["Item"]
ID = EntityId("a")
NOW = 10_000


class SlowLog(MemoryLog):
    """One that gives out a message whenever it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Semaphore(0)
        self.slow = False

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        async for messages in super().read(after, until):
            for message in messages:
                if self.slow:
                    await self.let.acquire()
                yield [message]


def _log(count: int) -> SlowLog:
    log = SlowLog()
    log.append(SchemaChanged(log.digest, SCHEMAS.digest, SCHEMAS.source))
    for version in range(1, count + 1):
        _write(log, version)
    return log


def _write(log: MemoryLog, version: int, largest: int = 1 << 20) -> int:
    data = msgspec.json.encode({"id": ID, "n": version})
    fact = Fact.CREATED if version == 1 else Fact.UPDATED
    event = Event(fact, "Item", ID, version, data, () if version == 1 else ("n",))
    decision = Decision(CommandId(f"c{version}"), "update", "Item", version * 10, Actor(), Verdict.APPLIED, (event,), 1)
    return log.append(Batch(log.digest, 0, (decision,)), largest)


async def _n(past: ProjectPast, at: Moment) -> object:
    async with past.seen(SCHEMAS, at) as source:
        found = await source.get(ITEM, ID, Options())
    return None if found is None else found.state["n"]


async def _n_or_code(past: ProjectPast, at: Moment) -> object:
    try:
        return await _n(past, at)
    except Unavailable as problem:
        return problem.code


def _past(log: MemoryLog, folder: Path, patience: float = 30.0) -> ProjectPast:
    return ProjectPast(log, folder / "history" / "x.db", lambda: NOW, patience)


async def test_while_the_log_is_read_it_is_told_how_far_and_the_reading_goes_on(tmp_path: Path) -> None:
    log = _log(5)
    log.slow = True
    past = _past(log, tmp_path, patience=0.05)
    with pytest.raises(Unavailable, match="still being read") as told:
        await _n(past, Position(6))
    assert (told.value.code, told.value.retry_after > 0) == ("HISTORY_NOT_READY", True)
    for _ in range(100):
        log.let.release()
    while (found := await _n_or_code(past, Position(6))) == "HISTORY_NOT_READY":
        pass
    assert found == 5
    await past.close()


async def test_a_log_that_ends_in_the_middle_of_an_entry_is_told_up_to_there(tmp_path: Path) -> None:
    log = _log(2)
    past = _past(log, tmp_path)
    log.messages.append(encode(Part(log.digest, 1, 2, b"half")))
    assert await _n(past, NOW) == 2
    # Whoever owns the lane next writes on; the piece means nothing any more.
    assert await _n(past, Position(_write(log, 3, largest=256))) == 3
    await past.close()


async def test_a_moment_is_behind_what_is_not_later_than_it(tmp_path: Path) -> None:
    past = _past(_log(3), tmp_path)
    assert [await _n(past, at) for at in (0, 9, 10, 19, 20, 30, NOW)] == [None, None, 1, 1, 2, 3, 3]
    assert [await _n(past, Position(entry)) for entry in range(5)] == [None, None, 1, 2, 3]
    for future in (NOW + 1, Position(6)):
        with pytest.raises(Invalid):
            await _n(past, future)
    await past.close()


async def test_two_processes_bring_one_file_up_to_the_log(tmp_path: Path) -> None:
    log = _log(50)
    pasts = [_past(log, tmp_path) for _ in range(4)]
    assert await asyncio.gather(*(_n(past, NOW) for past in pasts)) == [50] * 4
    _write(log, 51)
    assert await asyncio.gather(*(_n(past, NOW) for past in pasts)) == [51] * 4
    for past in pasts:
        await past.close()
    assert not list((tmp_path / "history" / "moments").glob("*"))


async def test_another_log_in_the_place_of_the_first_is_read_anew(tmp_path: Path) -> None:
    log = _log(5)
    past = _past(log, tmp_path)
    assert await _n(past, Position(6)) == 5
    log.messages = _log(2).messages
    assert await _n(past, NOW) == 2
    with pytest.raises(Invalid):
        await _n(past, Position(6))
    await past.close()


async def test_a_log_that_is_damaged_is_not_told_around(tmp_path: Path) -> None:
    log = _log(5)
    log.messages[3] = log.messages[3][:-1] + b"\xff"
    past = _past(log, tmp_path)
    with pytest.raises(Unavailable) as told:
        await _n(past, NOW)
    assert told.value.code == "HISTORY_DAMAGED"
    await past.close()


async def test_every_schema_is_told_in_its_order_and_again_when_there_is_another(tmp_path: Path) -> None:
    log = _log(2)
    past = _past(log, tmp_path)
    before = await past.schemas()
    assert [schemas.digest for schemas in before] == [SCHEMAS.digest]
    other = schema_parse.parse(
        '[{"name": "Item", "collection": "items", "fields": {"n": {"type": "number"}, "m": {"type": "json"}}}]'
    )
    log.append(SchemaChanged(log.digest, other.digest, other.source))
    assert [schemas.source for schemas in await past.schemas()] == [*(each.source for each in before), other.source]
    await past.close()
