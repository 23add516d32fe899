"""The lane on three nats-servers: a node that dies or is cut off costs a pause, never a write."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from itertools import count
from pathlib import Path

import pytest

from jetstream.connection import connect
from jetstream.log_streams import LogStreams
from octonet.app import Node, open_node
from octonet.config import Settings
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import DEFAULT_PROJECT
from octonet.kernel.operation import Request
from octonet.project_files import load_projects
from octonet.reader import Read
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
        async with asyncio.timeout(120):
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


async def test_whoever_is_at_a_server_that_is_cut_off_goes_to_another_one(tmp_path: Path) -> None:
    cluster = NatsCluster(tmp_path / "nats")
    await cluster.start()
    settings = Settings(data_dir=str(tmp_path / "data"), schemas_path=str(SHOP), open_mode=True, nats_replicas=3)
    client = await connect(cluster.endpoint)
    node = Node(settings, cluster.endpoint, client, load_projects(settings), worker=True, migrates=True)
    try:
        await node.open()
        await node.owned()
        assert client.connected_url is not None
        lost = client.connected_url.port
        assert lost is not None
        cluster.isolate(cluster.ports.index(lost))
        streams = LogStreams(client, DEFAULT_PROJECT)
        written, numbers = False, count()
        async with asyncio.timeout(120):
            while client.connected_url is None or client.connected_url.port == lost or not written:
                # What it knows by itself it goes on to tell: that is no reason to stay.
                with contextlib.suppress(Unavailable):
                    await streams.look()
                written = False
                with contextlib.suppress(Unavailable):
                    await node.gateway.execute(
                        DEFAULT_PROJECT, Request("create", "Tag", data={"label": str(next(numbers))}), ME
                    )
                    written = True
    finally:
        await node.close()
        await cluster.stop()
