"""The lane on three nats-servers: a node that dies or is cut off costs a pause, never a write."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from octonet.app import open_node
from octonet.config import Settings
from octonet.gateway import Read
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.operation import Request
from tests.acceptance.test_kill import SHOP
from tests.integration.test_lane import ME
from tests.nats_cluster import NatsCluster


@pytest.mark.parametrize("fault", ["killed", "isolated"])
async def test_a_lost_node_costs_a_pause_and_no_write(tmp_path: Path, fault: str) -> None:
    cluster = NatsCluster(tmp_path / "nats")
    await cluster.start()
    settings = Settings(data_dir=str(tmp_path / "data"), schemas_path=str(SHOP), open_mode=True, nats_replicas=3)
    node = await open_node(settings, cluster.endpoint, worker=True)
    acknowledged: list[str] = []
    done = asyncio.Event()

    async def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            data = {"label": f"t{number}"}
            try:
                await node.gateway.execute(DEFAULT_PROJECT, Request("create", "Tag", data=data), ME)
            except Unavailable:
                continue
            acknowledged.append(f"t{number}")

    writing = asyncio.create_task(write())
    try:
        await asyncio.sleep(1.0)
        before = len(acknowledged)
        if fault == "killed":
            cluster.send(0, signal.SIGKILL)
        else:
            cluster.isolate(0)
        await asyncio.sleep(6.0)
        cluster.start_node(0) if fault == "killed" else cluster.heal()
        async with asyncio.timeout(60):
            while len(acknowledged) < before + 100:
                await asyncio.sleep(0.1)
        done.set()
        await writing
        rows = await node.gateway.execute(DEFAULT_PROJECT, Request("count", "Tag"), ME)
        assert isinstance(rows, Read)
        assert rows.answer.count is not None
        assert rows.answer.count >= len(acknowledged) > 0
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await node.close()
        await cluster.stop()
