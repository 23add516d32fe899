"""A replica becomes a project's own database while the project is written to: nothing acknowledged is lost, and whoever
owned the lane before can write nothing any more, also when it was asleep meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octonet.kernel.chain import entries
from octonet.kernel.log import Batch, Ownership
from tests import postgres
from tests.acceptance.replica_stage import PROJECT, Load, Stage, staged, stopped

pytestmark = pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
RATE = 300.0
_A_WHILE = 1.5


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as found:
        wish = {"name": "first", "dialect": "postgres", "uri": found.uri(0), "lagTolerance": 500}
        await found.done("POST", f"/api/projects/{PROJECT}/replicas", wish)
        await found.until("first", lambda row: row["status"] == "connected")
        yield found


async def test_a_promotion_under_load_loses_nothing_and_can_be_taken_back(stage: Stage) -> None:
    async with Load(stage, RATE) as load:
        await asyncio.sleep(_A_WHILE)
        told = await stage.done("POST", f"/api/projects/{PROJECT}/replicas/first/promote")
        assert told["former"] == "former-1"
        await _goes_on(load)
        assert await _place(stage) == "postgres"
        await stage.until("former-1", lambda row: row["status"] == "connected")
        await stage.done("POST", f"/api/projects/{PROJECT}/replicas/former-1/promote")
        await _goes_on(load)
        assert await _place(stage) == "sqlite"
        await load.stop()
    assert load.faults == []
    await _nothing_is_lost(stage, load)


async def test_an_owner_that_slept_through_a_promotion_can_neither_append_nor_commit(stage: Stage) -> None:
    async with Load(stage, RATE) as load:
        await asyncio.sleep(_A_WHILE)
        sleeper = await stage.owner()
        async with stopped(sleeper.send):
            asleep = await stage.log.last()
            # If the sleeper followed the replica, too, somebody else does in a moment.
            await stage.until("first", lambda row: row["status"] == "connected" and _pid(row) != sleeper.pid)
            await stage.done("POST", f"/api/projects/{PROJECT}/replicas/first/promote")
            await _goes_on(load)
            heir = await stage.owner()
            assert heir.pid != sleeper.pid
        await _goes_on(load)
        await load.stop()
    assert load.faults == []
    # The chain is whole: nothing that the sleeper had begun came between what its heir wrote.
    last = await stage.log.last()
    claims = [link.entry async for link in entries(stage.log, 1, last) if link.sequence > asleep]
    owners = [claim.worker for claim in claims if isinstance(claim, Ownership)]
    assert owners[0].startswith(f"{heir.pid}-")
    await _nothing_is_lost(stage, load)


async def test_the_database_of_a_project_may_be_gone_when_its_replica_is_promoted(stage: Stage) -> None:
    await stage.done("POST", f"/api/projects/{PROJECT}/replicas/first/promote")
    wish = {"name": "second", "dialect": "postgres", "uri": stage.uri(1), "lagTolerance": 500}
    await stage.done("POST", f"/api/projects/{PROJECT}/replicas", wish)
    await stage.until("second", lambda row: row["status"] == "connected")
    async with Load(stage, RATE) as load:
        await asyncio.sleep(_A_WHILE)
        with stage.postgres[0].away():
            await stage.done("POST", f"/api/projects/{PROJECT}/replicas/second/promote")
            await _goes_on(load)
        await stage.until("former-2", lambda row: row["status"] == "connected")
        await load.stop()
    assert load.faults == []
    for name, uri in (("former-2", stage.uri(0)), ("second", stage.uri(1))):
        if name in await stage.replicas():
            await stage.until(name, lambda row: row["lagPositions"] == 0)
        found = await stage.hashes("postgres", uri)
        assert (name, found.rows) == (name, len(load.acknowledged))
        assert found.differing(await stage.folded()) == []


async def _goes_on(load: Load) -> None:
    """Writes are acknowledged again, a good number of them."""
    before = load.written
    async with asyncio.timeout(60):
        while load.written < before + RATE / 2:
            await asyncio.sleep(0.05)


def _pid(row: dict[str, object]) -> int:
    return int(str(row["follower"] or 0).partition("-")[0])


async def _place(stage: Stage) -> str:
    [found] = [one for one in await stage.done("GET", "/api/projects") if one["name"] == PROJECT]
    return str(found["dialect"])


async def _nothing_is_lost(stage: Stage, load: Load) -> None:
    """Both databases hold what the log says, the acknowledged writes among it."""
    counts: dict[str, int] = {}
    async for link in entries(stage.log, 1, await stage.log.last()):
        for decision in link.entry.decisions if isinstance(link.entry, Batch) else ():
            for event in decision.events:
                assert event.data is not None
                counts[event.id] = json.loads(event.data)["count"]
    assert counts.items() >= load.acknowledged.items()
    for name, row in (await stage.replicas()).items():
        await stage.until(name, lambda row: row["status"] == "connected" and row["lagPositions"] == 0)
        assert row["role"] == "slave"
    folded = await stage.folded()
    file = await stage.hashes("sqlite", f"sqlite:///{stage.file(PROJECT)}")
    server = await stage.hashes("postgres", stage.uri(0))
    assert folded.differing(file) == []
    assert folded.differing(server) == []
    assert folded.rows == len(counts)
