"""A log that is kept in several streams, one after the other, is one log: for whoever writes, follows, rebuilds, looks
back, verifies, and starts again after a rotation that was broken off."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from nats.js.api import StreamInfo

from jetstream.connection import connect
from jetstream.server import EmbeddedServer, find_running
from tests.acceptance.checker import Told, violations
from tests.acceptance.rebuilding import SHOP, Load, done, faults
from tests.nats_cluster import NatsCluster
from tests.running import ROOT, Server

BROKEN = str(Path(__file__).parent / "broken_rotation.py")
WITHIN = 60.0


def _is_closed(info: StreamInfo) -> bool:
    """Whether nobody can append to it any more."""
    return all(subject.startswith("octo.closed.") for subject in info.config.subjects or [])


async def _streams(directory: Path) -> dict[str, tuple[int, int, bool]]:
    """The streams of the log: first and last sequence, and whether they are closed."""
    endpoint = find_running(directory / "nats")
    assert endpoint is not None
    client = await connect(endpoint)
    try:
        found = await client.jetstream().streams_info()
        return {
            str(info.config.name): (info.state.first_seq, info.state.last_seq, _is_closed(info))
            for info in sorted(found, key=lambda info: info.state.first_seq)
            if str(info.config.name).startswith("OCTO_LOG_default")
        }
    finally:
        await client.close()


@contextmanager
def _doors(directory: Path) -> Iterator[Server]:
    """A second process, which decides nothing."""
    server = Server(directory, SHOP)
    server.start("--no-worker", within=60.0)
    try:
        yield server
    finally:
        server.stop()


def _rotate(server: Server, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        server.command("rotate", *more), env=server.environment(), cwd=ROOT, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip


async def _rotated(server: Server) -> None:
    """While others go on."""
    found = await asyncio.to_thread(_rotate, server)
    assert "the log goes on in OCTO_LOG_default~" in found.stdout, found.stderr


async def _write(server: Server, label: str) -> str:
    """Returns the position of the write."""
    async with (
        aiohttp.ClientSession(server.url) as session,
        session.post("/api/v1/tags", json={"label": label}) as reply,
    ):
        assert reply.status == 201, await reply.text()
        return reply.headers["Octonet-Position"]


async def test_a_log_is_rotated_under_load_and_nobody_notices(tmp_path: Path) -> None:
    directory, told = tmp_path / "data", list[Told]()
    with Server(directory, SHOP) as server, _doors(directory) as other:
        async with Load(server, told, 1) as load, Load(other, told, 100) as elsewhere:
            for _ in range(3):
                await load.written(60)
                await elsewhere.written(60)
                await _rotated(server)
            await load.written(60)
        streams = await _streams(directory)
        assert [closed for _, _, closed in streams.values()] == [True, True, True, False]
        ends = [(first, last) for first, last, _ in streams.values()]
        assert [first for first, _ in ends] == [1, *(last + 1 for _, last in ends[:-1])]
        assert "are whole" in await done(server, "audit", "verify")
    assert [one for one in told if one.status >= 500] == []
    assert await faults(directory, told, directory / "octonet.db") == []


@pytest.mark.parametrize("step", ["closing", "beginning", "answering"])
async def test_a_rotation_that_was_broken_off_is_finished_by_whoever_comes_next(tmp_path: Path, step: str) -> None:
    directory, told = tmp_path / "data", list[Told]()
    with Server(directory, SHOP, program=(BROKEN, step)) as server:
        async with Load(server, told, 1) as load:
            await load.written(60)
        await asyncio.to_thread(_rotate, server)
        assert await asyncio.to_thread(server.process.reap, WITHIN) == -signal.SIGKILL
    server = Server(directory, SHOP)
    with server:
        async with Load(server, told, 50) as load:
            await load.written(60)
        assert [closed for _, _, closed in (await _streams(directory)).values()] == [True, False]
    assert await faults(directory, told, directory / "octonet.db") == []


async def test_a_database_that_is_lost_is_filled_from_all_streams(tmp_path: Path) -> None:
    directory, told = tmp_path / "data", list[Told]()
    server = Server(directory, SHOP)
    with server:
        async with Load(server, told, 1) as load:
            for _ in range(2):
                await load.written(60)
                await _rotated(server)
            await load.written(60)
            assert "equal in all" in await done(server, "rebuild")
    for file in directory.glob("octonet*.db*"):
        file.unlink()
    with Server(directory, SHOP):
        pass
    assert await faults(directory, told, next(directory.glob("octonet*.db"))) == []


async def test_followers_and_the_past_go_through_all_streams(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with Server(directory, SHOP) as server, _doors(directory) as other:
        first = await _write(server, "first")
        async with (
            aiohttp.ClientSession(other.url) as session,
            session.get("/events", params={"entity": "Tag"}, headers={"Last-Event-ID": first}) as stream,
        ):
            heard: list[str] = []
            for label in ("second", "third", "fourth"):
                await _rotated(server)
                await _write(server, label)
                async with asyncio.timeout(WITHIN):
                    async for line in stream.content:
                        if line.startswith(b"data:") and label.encode() in line:
                            heard.append(label)
                            break
            assert heard == ["second", "third", "fourth"]
        async with aiohttp.ClientSession(server.url) as session:
            for header in (first, ""):
                asked = {"asOf": header} if header else {}
                async with session.get("/api/v1/tags/count", params=asked) as reply:
                    assert (await reply.json())["data"] == (1 if header else 4)


async def test_a_log_goes_on_by_itself_in_another_stream_when_it_has_grown(tmp_path: Path) -> None:
    directory, told = tmp_path / "data", list[Told]()
    with Server(directory, SHOP, OCTONET_ROTATE_AT="1") as server:
        async with Load(server, told, 1), asyncio.timeout(WITHIN):
            while len(await _streams(directory)) < 2:
                await asyncio.sleep(0.2)
    assert await faults(directory, told, directory / "octonet.db") == []


async def test_a_rotation_is_refused_with_what_to_do(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with Server(directory, SHOP) as server:
        refused = _rotate(server, "--project", "nobody")
        assert (refused.returncode, "there is no log of a project 'nobody'" in refused.stderr) == (1, True)
    nats = EmbeddedServer(directory / "nats")
    nats.spawn()
    nats.wait_ready()
    try:
        refused = _rotate(server)
        assert (refused.returncode, "start `octonet serve` or `octonet work`" in refused.stderr) == (1, True)
    finally:
        nats.stop()


async def test_a_log_of_three_copies_is_rotated_while_a_server_of_the_cluster_is_away(tmp_path: Path) -> None:
    cluster, told, database = NatsCluster(tmp_path / "nats"), list[Told](), tmp_path / "data" / "octonet.db"
    environment = cluster.environment(cluster.ports)
    server = Server(tmp_path / "data", SHOP, program=("-m", "octonet"), **environment)
    try:
        await cluster.start()
        await asyncio.to_thread(server.start, within=90.0)
        async with Load(server, told, 1) as load:
            await load.written(60)
            await _rotated(server)
            await load.written(60)
            cluster.stop_node(2)
            await _rotated(server)
            await load.written(60)
            cluster.start_node(2)
            await cluster.healthy()
            await load.written(60)
        found, until = ["not looked yet"], time.monotonic() + WITHIN
        while found and time.monotonic() < until:
            await asyncio.sleep(0.5)
            found = await violations(cluster.endpoint, database, SHOP, told)
        assert found == [], server.log()[-3000:]
    finally:
        server.kill()
        await cluster.stop()


async def test_a_backup_of_several_streams_is_restored_as_one_and_rotated_again(tmp_path: Path) -> None:
    directory, told, backup = tmp_path / "data", list[Told](), str(tmp_path / "backup")
    server = Server(directory, SHOP)
    with server:
        async with Load(server, told, 1) as load:
            await load.written(60)
            await _rotated(server)
            await load.written(60)
        await done(server, "backup", "--to", backup)
        async with Load(server, told, 20) as load:
            await load.written(60)
        # Closed or not, the log ends with the entry that says so.
        await _rotated(server)
        await done(server, "backup", "--to", backup)
    shutil.rmtree(directory / "nats")
    for file in directory.glob("*.db*"):
        file.unlink()
    await done(server, "restore", backup)
    with server:
        async with Load(server, told, 40) as load:
            await load.written(60)
            await _rotated(server)
            await load.written(60)
        # What was restored is one stream, closed as it was; this rotation closed the next one.
        assert len(await _streams(directory)) == 3
    assert await faults(directory, told, directory / "octonet.db") == []
