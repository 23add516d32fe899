"""The promises that a crash must not break: kill -9 at random moments, then every account is held against the log."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
from pathlib import Path

from jetstream.server import EmbeddedServer, stop_stale
from tests.acceptance.checker import Told, violations
from tests.acceptance.writers import Writer
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
BROKEN = str(Path(__file__).parent / "broken_build.py")
ROUNDS = int(os.environ.get("OCTONET_KILL_ROUNDS", "50"))
WRITERS = 8
CHECK_EVERY = 10


async def _write_for(server: Server, told: list[Told], seconds: float, seed: int) -> None:
    """Let the clients write; they stop when the time is over or the server goes away."""
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, until.set)
    async with asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            group.create_task(Writer(lambda: server.url, told, seed * 100 + number).run(until))


async def _check(directory: Path, told: list[Told]) -> list[str]:
    """Hold everything against everything, with no server running but NATS."""
    nats = EmbeddedServer(directory / "nats")
    nats.spawn()
    nats.wait_ready()
    try:
        return await violations(nats.endpoint, directory / "octonet.db", SHOP, told)
    finally:
        nats.stop()


async def test_fifty_kills_lose_nothing_double_nothing_and_leave_rows_equal_to_facts(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    dice = random.Random(7)
    told: list[Told] = []
    server = Server(directory, SHOP)
    for number in range(1, ROUNDS + 1):
        server.start()
        moment = dice.uniform(0.1, 1.0)
        killer = asyncio.get_running_loop().call_later(moment, server.send, signal.SIGKILL)
        try:
            await _write_for(server, told, 5.0, number)
        finally:
            killer.cancel()
        server.kill()
        if number % CHECK_EVERY == 0 or number == ROUNDS:
            server.start()
            assert server.stop() == 0
            assert await _check(directory, told) == []
    acknowledged = [one for one in told if one.status in (200, 201)]
    assert {one.op for one in acknowledged} == {
        "create",
        "update",
        "upsert",
        "delete",
        "updateMany",
        "deleteMany",
        "increment",
        "addToSet",
        "pull",
    }
    assert len(acknowledged) > 20 * ROUNDS


async def test_killing_the_broker_too_loses_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    told: list[Told] = []
    server = Server(directory, SHOP)
    for number in range(1, 6):
        server.start()
        broker = int((directory / "nats" / "nats-server.pid").read_text())
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, os.kill, broker, signal.SIGKILL)
        loop.call_later(0.55, server.send, signal.SIGKILL)
        await _write_for(server, told, 5.0, 500 + number)
        server.kill()
    server.start()
    assert server.stop() == 0
    assert await _check(directory, told) == []
    assert told


def _stand_by(server: Server) -> subprocess.Popen[str]:
    """A second worker on the same data directory."""
    worker = subprocess.Popen(
        server.command("work"),
        env=server.environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdout is not None
    assert "standing by" in worker.stdout.readline()
    return worker


async def _stopped_owner(directory: Path, fault: str) -> list[str]:
    """The owner pauses between deciding and appending, another worker takes over, the owner wakes."""
    told: list[Told] = []
    server = Server(directory, SHOP, program=(BROKEN, fault)).start()
    plain = Server(directory, SHOP)
    worker = _stand_by(plain)
    try:
        writing = asyncio.create_task(_write_for(server, told, 12.0, 77))
        await asyncio.sleep(9.0)
        server.send(signal.SIGCONT)
        await writing
        server.kill()
    finally:
        worker.terminate()
        worker.wait(15)
        assert worker.stdout is not None
        worker.stdout.close()
    stop_stale(directory / "nats")
    return await _check(directory, told)


async def test_an_owner_that_wakes_after_a_takeover_can_neither_append_nor_commit(tmp_path: Path) -> None:
    found = await _stopped_owner(tmp_path / "data", "stop-at-append")
    assert [one for one in found if not one.startswith("the feed")] == []


async def test_the_checker_catches_appends_without_compare_and_set(tmp_path: Path) -> None:
    found = await _stopped_owner(tmp_path / "data", "no-compare-and-set")
    assert any("hash chain" in one for one in found), found


async def test_the_checker_catches_a_reply_before_the_append_is_acknowledged(tmp_path: Path) -> None:
    told: list[Told] = []
    server = Server(tmp_path / "data", SHOP, program=(BROKEN, "early-reply")).start()
    asyncio.get_running_loop().call_later(1.0, server.send, signal.SIGKILL)
    await _write_for(server, told, 5.0, 88)
    server.kill()
    stop_stale(tmp_path / "data" / "nats")
    found = await _check(tmp_path / "data", told)
    assert any(one.startswith("LOST") for one in found), found


async def test_the_checker_catches_a_checkpoint_outside_the_transaction(tmp_path: Path) -> None:
    told: list[Told] = []
    server = Server(tmp_path / "data", SHOP, program=(BROKEN, "late-checkpoint")).start()
    await _write_for(server, told, 10.0, 99)
    server.kill()
    stop_stale(tmp_path / "data" / "nats")
    found = await _check(tmp_path / "data", told)
    # What the last batch was about decides how it shows: its rows, or, when it changed none, only the inbox.
    signs = ("rows without a fact", "differs from its facts", "the inbox has")
    assert any(sign in one for sign in signs for one in found), found
