"""The commands `octonet rebuild` and `octonet snapshot`, as an operator runs them beside a server or without one."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from jetstream.server import EmbeddedServer
from tests.acceptance.checker import Told, violations
from tests.acceptance.writers import Writer
from tests.running import ROOT, Server

SHOP = Path(__file__).parent / "shop.json"
WRITERS = 4


def now(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        server.command(*arguments, "--quiet"), env=server.environment(), cwd=ROOT,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


async def done(server: Server, *arguments: str) -> str:
    """What a command prints that must go well, while others go on."""
    found = await asyncio.to_thread(now, server, *arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


class Load:
    """Clients that write all the while, each as fast as it is answered."""

    def __init__(self, server: Server, told: list[Told], seed: int, clients: int = WRITERS) -> None:
        self._until = asyncio.Event()
        writers = [Writer(lambda: server.url, told, seed + number) for number in range(clients)]
        self._tasks = [asyncio.create_task(writer.run(self._until)) for writer in writers]
        self._told = told

    async def written(self, more: int) -> None:
        """Wait for so many replies more."""
        wanted = len(self._told) + more
        async with asyncio.timeout(120):
            while len(self._told) < wanted:
                await asyncio.sleep(0.01)

    async def __aenter__(self) -> Load:
        return self

    async def __aexit__(self, *problem: object) -> None:
        self._until.set()
        await asyncio.gather(*self._tasks)


async def faults(directory: Path, told: list[Told], database: Path | str) -> list[str]:
    """Hold log, feed, a database and what clients were told against each other, with no server running."""
    nats = EmbeddedServer(directory / "nats")
    nats.spawn()
    nats.wait_ready()
    try:
        return await violations(nats.endpoint, database, SHOP, told)
    finally:
        nats.stop()
