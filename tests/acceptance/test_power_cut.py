"""What was acknowledged survives a power cut, with the settings we ship and a database that does not sync."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.checker import Told
from tests.acceptance.test_kill import SHOP, _caught_up, _check, _write_for
from tests.disk import Disk
from tests.running import Server

ROUNDS = int(os.environ.get("OCTONET_POWER_ROUNDS", "3"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    found = Disk(tmp_path / "disk.img", 1024)
    yield found
    found.remove()


async def test_no_acknowledged_write_is_lost_when_the_power_is_cut(disk: Disk) -> None:
    directory = disk.path / "data"
    dice = random.Random(11)
    told: list[Told] = []
    for number in range(ROUNDS):
        server = Server(directory, SHOP).start()
        broker = int((directory / "nats" / "nats-server.pid").read_text())
        asyncio.get_running_loop().call_later(dice.uniform(0.5, 2.0), _cut, disk, server, broker)
        await _write_for(server, told, 6.0, 900 + number)
        server.kill()
        _wait_for_end(broker)
        disk.restore_power()
    server = Server(directory, SHOP).start()
    await _caught_up(server)
    assert server.stop() == 0
    assert await _check(directory, told) == []
    assert len([one for one in told if one.status in (200, 201)]) > 100 * ROUNDS


def _cut(disk: Disk, server: Server, broker: int) -> None:
    disk.cut_power()
    server.send(signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)


def _wait_for_end(process: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
