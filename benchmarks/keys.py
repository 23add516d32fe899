"""What keys cost: reads by id with a key on every request against open mode, and good requests amid a flood of wrong
keys."""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from benchmarks import subjects
from benchmarks.load import ROWS, fill, run

_CONNECTIONS = 128
_ROUNDS = 3
_GOOD = 200
_WRONG = 1000
"""Requests a second, at fixed moments."""


def cost_of_keys(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    """Measure and say it."""
    free = subjects.octonet(directory / "free")
    keyed = subjects.octonet(directory / "keyed", OCTONET_OPEN_MODE="")
    try:
        key = _issue(directory / "keyed")
        for subject, shown in ((free, ""), (keyed, key)):
            asyncio.run(fill(subject.url, shown))
        ratios = [
            run(keyed.url, "get", _CONNECTIONS, seconds, key).rate / run(free.url, "get", _CONNECTIONS, seconds).rate
            for _ in range(_ROUNDS)
        ]
        quiet, flooded = asyncio.run(_flood(keyed.url, key, 4 * seconds))
    finally:
        free.stop()
        keyed.stop()
    say("")
    say(
        f"Get by id at {_CONNECTIONS} connections with a key on every request : in open mode "
        f"**{statistics.median(ratios):.2f}** (target: at least 0.95)"
    )
    say("")
    say(
        f"{_GOOD} good requests/s amid {_WRONG} wrong keys/s: p99 {flooded:.1f} ms, without them {quiet:.1f} ms, ratio "
        f"**{flooded / quiet:.2f}** (target: below 2)"
    )


def _issue(directory: Path) -> str:
    data = str(directory / "octonet")
    what = ("keys", "issue", "bench", "--operations", "read,write", "--data-dir", data)
    command = [sys.executable, "-m", "octonet", *what, "--schemas", "benchmarks/schema.json"]
    return subprocess.run(command, cwd=subjects.ROOT, capture_output=True, text=True, check=True).stdout.strip()


async def _flood(url: str, key: str, seconds: int) -> tuple[float, float]:
    """p99 in milliseconds of good requests: in quiet times before and after, and amid the flood."""
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        await _good(session, key, 2)
        before = await _good(session, key, seconds)
        flood = ("-m", "benchmarks.flood", url, str(_WRONG), str(seconds + 2))
        wrong = await asyncio.create_subprocess_exec(sys.executable, *flood, cwd=subjects.ROOT)
        await asyncio.sleep(1.0)
        flooded = await _good(session, key, seconds)
        await wrong.wait()
        after = await _good(session, key, seconds)
    return statistics.mean([before, after]), flooded


async def _good(session: aiohttp.ClientSession, key: str, seconds: int) -> float:
    latencies: list[float] = []

    async def one(due: float) -> None:
        await asyncio.sleep(due - time.perf_counter())
        path = f"/api/v1/Item/i{random.randrange(ROWS):05}"
        async with session.get(path, headers={"X-API-Key": key}) as reply:
            assert reply.status == 200
            await reply.read()
        latencies.append((time.perf_counter() - due) * 1000)

    began = time.perf_counter() + 0.1
    await asyncio.gather(*(one(began + number / _GOOD) for number in range(seconds * _GOOD)))
    return statistics.quantiles(latencies, n=100)[98]
