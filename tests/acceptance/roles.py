"""Workers and doors as processes of their own, and what is heard of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jetstream.connection import connect
from jetstream.owners import Owners
from jetstream.server import find_running
from octonet.kernel.ids import ProjectName
from tests.running import Process, Server

PROJECTS = [ProjectName(f"project-{number}") for number in range(8)]
WITHIN = 60.0


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that must become true."""
    try:
        async with asyncio.timeout(WITHIN):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"it did not come to this: {what}")


async def ask(client: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with client.request(method, path, json=body) as response:
        return response.status, await response.json()


async def without_owner(client: aiohttp.ClientSession, path: str, wanted: list[str]) -> list[str]:
    """The projects that nobody owns, once they are those that are wanted: each process hears of it by itself."""
    found: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WITHIN):
            while (found := (await ask(client, "GET", path))[1].get("withoutOwner", [])) != wanted:
                await asyncio.sleep(0.05)
    return found


@asynccontextmanager
async def owners(server: Server) -> AsyncIterator[Owners]:
    """Who owns what, as any process can hear it."""
    endpoint = find_running(server.directory / "nats")
    assert endpoint is not None
    client = await connect(endpoint)
    found = Owners(client)
    await found.open(PROJECTS)
    yield found
    await client.close()


def work(server: Server, *arguments: str) -> Process:
    process = server.launch("work", *arguments)
    assert process.output.until(lambda line: "standing by" in line, WITHIN), server.log()
    return process


def stand_by(first: Server, second: Server) -> tuple[Process, Process]:
    """Two workers, of which the first owns the lane. Hashing names one of the two: it is tried until it is that one."""
    while True:
        owner, other = work(first), work(second)
        if not other.output.until(lambda line: "owns the lane" in line, 10.0):
            return owner, other
        assert owner.stop() == other.stop() == 0


def make_tables(server: Server) -> None:
    """What the first worker of an installation does."""
    server.start()
    assert server.stop() == 0


def children(process: int) -> list[int]:
    """The serving processes below a parent; its nats-server is none."""
    found = [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [child for child in found if b"--processes" in _command_line(child)]


def _command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""
