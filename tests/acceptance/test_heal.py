"""A damaged copy of the log on one server of three: an alarm, nothing folded past it, and healed by a command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jetstream.connection import connect
from jetstream.copies import step_down, streams
from octonet.kernel.errors import Unavailable
from tests.acceptance.checker import violations
from tests.acceptance.office import Office, chief, staffed, with_key
from tests.nats_cluster import NatsCluster
from tests.running import Process, Server

LOG = "OCTO_LOG_default"
SHOP = Path(__file__).parent / "shop.json"
EVERY = os.environ.get("OCTONET_SCRUB_EVERY", "1")
"""Seconds between two looks; the alarm within a minute is promised with the default, 30."""


class Stage:
    """Three nats-servers, and an Octonet that is told where they are monitored, or is not."""

    def __init__(self, directory: Path, monitored: bool) -> None:
        self.cluster = NatsCluster(directory / "nats")
        more = {"NATS_MONITOR_URLS": self.cluster.monitors} if monitored else {}
        environment = self.cluster.environment(self.cluster.ports)
        self.server = staffed(directory / "data", OCTONET_SCRUB_EVERY=EVERY, **environment, **more)
        self.written = 0

    async def start(self) -> None:
        await self.cluster.start()
        await self.serve()
        self.program = with_key(self.server, await (await chief(self.server)).key())

    async def serve(self) -> None:
        await asyncio.to_thread(self.server.start, within=90.0)

    async def write(self, count: int) -> None:
        """One log entry each, most of them."""
        for _ in range(count):
            self.written += 1
            row = {"label": f"label {self.written}"}
            # Whoever writes while the servers choose another leader is refused for a moment, or is not told.
            while (status := await self.program.status("POST", "/api/v1/tags", row)) not in (201, 409):
                assert status in (503, 504)
                await asyncio.sleep(0.2)

    async def has(self, count: int) -> bool:
        """Whether it has so many rows. A label whose fate was not told, and that was taken when it was tried again, may
        be decided and not stored yet."""
        status, told = await self.program.ask("GET", "/api/v1/tags/count")
        return status == 200 and int(told["data"]) == count

    async def leader(self) -> str | None:
        """None while the servers choose one."""
        try:
            client = await connect(self.cluster.endpoint)
            try:
                found = await streams(client)
            finally:
                await client.close()
        except Unavailable:
            return None
        return next((one.cluster.leader for one in found if one.name == LOG), "") or None

    async def let_lead(self, node: int) -> None:
        """Make the damaged copy the one that the stream is led by."""

        async def leads() -> bool:
            leader = await self.leader()
            if leader is not None and leader != f"n{node}":
                await self._step_down(node)
                await asyncio.sleep(2.0)  # an heir that is not ready yet is not elected: it is asked for again
            return leader == f"n{node}"

        await _until(leads, 120)

    async def _step_down(self, node: int) -> None:
        client = await connect(self.cluster.endpoint)
        try:
            with contextlib.suppress(Unavailable):
                await step_down(client, LOG, f"n{node}")
        finally:
            await client.close()

    async def damaged(self) -> list[Any]:
        _, told = await Office(self.server).ask("GET", "/health")
        return list(told.get("damaged", []))

    async def tells(self, stream: str, node: int, reason: str = "") -> bool:
        """Whether `/health` has this to say of a copy, or with no stream of a server."""
        return any(
            (one["stream"], one["server"]) == (stream, f"n{node}") and reason in one["reason"]
            for one in await self.damaged()
        )

    async def figures(self) -> set[tuple[str, str]]:
        reply = await (await chief(self.server)).raw("GET", "/metrics")
        families = {one.name: one for one in text_string_to_metric_families(await reply.text())}
        found = families["octonet_stream_copy_damaged"].samples if "octonet_stream_copy_damaged" in families else []
        return {(one.labels["stream"], one.labels["server"]) for one in found if one.value == 1}

    async def heal(self, node: int) -> Process:
        store = str(self.cluster.store(node))
        wish = ("heal", "--stream", LOG, "--server", f"n{node}", "--store", store, "--quiet")
        return await asyncio.to_thread(self.server.launch, *wish)

    def block(self, node: int) -> Path:
        """The file that holds the log's newest messages."""
        blocks = self.cluster.store(node).glob(f"**/{LOG}/msgs/*.blk")
        return max(blocks, key=lambda path: int(path.stem))

    async def stop(self) -> None:
        self.server.kill()
        await self.cluster.stop()


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    found = Stage(tmp_path, monitored=request.param)
    try:
        await found.start()
        yield found
    finally:
        await found.stop()


def _flip(block: Path) -> None:
    raw = bytearray(block.read_bytes())
    raw[len(raw) // 2] ^= 1
    block.write_bytes(raw)


def _truncate(block: Path) -> None:
    os.truncate(block, block.stat().st_size // 2)


async def _until(wanted: Any, within: float = 60.0) -> float:
    began = time.monotonic()
    async with asyncio.timeout(within):
        while not await wanted():
            await asyncio.sleep(0.1)
    return time.monotonic() - began


async def _follower(stage: Stage) -> int:
    while (leader := await stage.leader()) is None:
        await asyncio.sleep(0.1)
    return next(number for number in range(3) if f"n{number}" != leader)


CASES = [(_flip, True, "stopped"), (_truncate, True, "stopped"), (_flip, False, "running")]


@pytest.mark.parametrize(
    ("damage", "stage", "node_is"),
    CASES,
    indirect=["stage"],
    ids=["flipped", "truncated", "flipped while it runs, no monitors"],
)
async def test_a_damaged_copy_is_told_is_not_folded_and_is_healed(stage: Stage, damage: Any, node_is: str) -> None:
    await stage.write(200)
    node = await _follower(stage)

    async def told() -> bool:
        return await stage.tells(LOG, node)

    took = 0.0
    while not took:
        if node_is != "running":
            stage.cluster.stop_node(node)
        damage(stage.block(node))
        if node_is != "running":
            stage.cluster.start_node(node)
            await stage.cluster.healthy()
        try:
            took = await _until(told, 20.0 + 2 * float(EVERY) if damage is _truncate else 60.0)
        except TimeoutError:
            # A copy that lacks its end may be given it by the others before anybody looks: then nothing is damaged.
            assert damage is _truncate
            assert await told() or await stage.damaged() == []
    print(f"alarm after {took:.1f} s, a look every {EVERY} s")

    async def serves() -> bool:
        return await Office(stage.server).status("GET", "/health") == 200

    async def figured() -> bool:
        return (LOG, f"n{node}") in await stage.figures()

    await _until(serves)
    await _until(figured)
    assert f"ALARM: the copy of {LOG} on server n{node}" in stage.server.log()

    # What leads lacks a message: a database that is made anew from the log gets it all the same, from the others.
    await asyncio.to_thread(stage.server.stop)
    for file in stage.server.directory.glob("octonet.db*"):
        file.unlink()
    await stage.let_lead(node)
    await stage.serve()
    await stage.write(20)
    await _until(lambda: stage.has(stage.written))
    await _until(told)

    running = await stage.heal(node)
    assert await asyncio.to_thread(running.reap, 60) == 1
    assert f"stop the nats-server n{node} first" in stage.server.log()
    stage.cluster.stop_node(node)
    healing = await stage.heal(node)
    ready = await asyncio.to_thread(healing.output.until, lambda line: "Start the nats-server" in line, 90)
    assert ready is not None, stage.server.log()[-3000:]
    await stage.write(20)
    await _until(lambda: stage.tells("", node, "it is away"))
    stage.cluster.start_node(node)
    assert await asyncio.to_thread(healing.reap, 90) == 0, stage.server.log()[-3000:]

    async def well() -> bool:
        return (await stage.damaged(), await stage.figures()) == ([], set())

    await _until(well)
    await stage.let_lead(node)
    await stage.write(20)
    await _until(lambda: stage.has(stage.written))
    database = stage.server.directory / "octonet.db"

    async def whole() -> bool:
        return await violations(stage.cluster.endpoint, database, SHOP, []) == []

    await _until(whole)


@pytest.mark.parametrize("stage", [True], indirect=True, ids=["monitored"])
async def test_a_copy_that_falls_behind_and_comes_no_nearer_is_told_until_it_is_there_again(stage: Stage) -> None:
    node = await _follower(stage)
    stage.cluster.isolate(node)

    async def write() -> None:
        while True:  # one that was served by this node waits for another, and may be refused meanwhile
            await stage.program.ask("POST", "/api/v1/tags", {"label": f"behind {time.monotonic_ns()}"})

    writing = asyncio.create_task(write())
    try:
        await _until(lambda: stage.tells(LOG, node, "comes no nearer"), 120)
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    stage.cluster.heal()

    async def well() -> bool:
        return not await stage.damaged()

    await _until(well)


async def test_one_copy_cannot_be_healed_and_is_told_what_can(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    server = Server(tmp_path / "data", SHOP)
    refused = server.launch("heal", "--stream", LOG, "--server", "octonet", "--store", str(tmp_path))
    assert await asyncio.to_thread(refused.reap) == 1
    assert "octonet restore" in server.log()


async def test_a_directory_that_is_no_store_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    server = Server(tmp_path / "data", SHOP, NATS_URL="nats://127.0.0.1:1")
    refused = server.launch("heal", "--project", "default", "--server", "n1", "--store", str(tmp_path))
    assert await asyncio.to_thread(refused.reap) == 1
    assert "is not the store of a nats-server" in server.log()
