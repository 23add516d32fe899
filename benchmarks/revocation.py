"""How long a revoked key goes on working: on three processes, for requests, and for what is open under it."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from benchmarks import subjects

_PROCESSES = 3
_ROUNDS = 20
_EVERY = {"projects": "*", "operations": "*", "transports": "*"}


def revocation(directory: Path, say: Callable[[str], None]) -> None:
    """Measure and say it."""
    first = subjects.octonet(directory, OCTONET_OPEN_MODE="")
    found = [first, *(subjects.octonet(directory, "--no-worker", OCTONET_OPEN_MODE="") for _ in range(_PROCESSES - 1))]
    try:
        took = asyncio.run(_measure([subject.url for subject in found], _office(directory)))
    finally:
        for subject in reversed(found):
            subject.stop()
    say("")
    say(
        f"A revoked key on {_PROCESSES} processes, from the answer to the revocation until the last of them refuses it "
        f"and has ended its WebSocket and its stream: median **{statistics.median(took):.3f} s**, longest "
        f"{max(took):.3f} s of {_ROUNDS} (target: 1 s)"
    )


def _office(directory: Path) -> str:
    what = ("keys", "issue", "office", "--projects", "*", "--operations", "read,write,admin")
    command = [sys.executable, "-m", "octonet", *what, "--data-dir", str(directory / "octonet")]
    command += ["--schemas", "benchmarks/schema.json"]
    return subprocess.run(command, cwd=subjects.ROOT, capture_output=True, text=True, check=True).stdout.strip()


async def _measure(urls: list[str], office: str) -> list[float]:
    async with aiohttp.ClientSession(headers={"X-API-Key": office}) as chief:
        return [await _round(chief, urls) for _ in range(_ROUNDS)]


async def _round(chief: aiohttp.ClientSession, urls: list[str]) -> float:
    async with chief.post(f"{urls[0]}/api/api-keys", json={"label": "short", "permissions": _EVERY}) as reply:
        key = json.loads(await reply.read())["data"]["apiKey"]
    async with aiohttp.ClientSession(headers={"X-API-Key": key}) as tenant:
        waiting = []
        for url in urls:
            socket = await tenant.ws_connect(f"{url}/ws")
            stream = await tenant.get(f"{url}/events")
            waiting += [_closed(socket), _ended(stream), _refused(tenant, url)]
        tasks = [asyncio.create_task(one) for one in waiting]
        async with chief.delete(f"{urls[-1]}/api/api-keys/{key[:20]}") as reply:
            assert reply.status == 200
        began = time.perf_counter()
        await asyncio.gather(*tasks)
        return time.perf_counter() - began


async def _closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


async def _ended(stream: aiohttp.ClientResponse) -> None:
    await stream.content.read()


async def _refused(tenant: aiohttp.ClientSession, url: str) -> None:
    while True:
        async with tenant.get(f"{url}/api/v1/Item?limit=1") as reply:
            await reply.read()
            if reply.status == 401:
                return
        await asyncio.sleep(0.002)
