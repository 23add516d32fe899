"""What the NATS door costs beside a bare echo by nats-py."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nats
from nats.aio.client import Client

from benchmarks import subjects
from benchmarks.load import ROW, fill
from benchmarks.servers.echo import SUBJECT
from jetstream.endpoint import Endpoint
from jetstream.server import find_running

_ROUNDS = 3
_WARM = 200
_TARGET = 4.0


def bus(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    """Measure and say it: one client, one request at a time."""
    octonet = subjects.octonet(directory / "bus")
    endpoint = find_running(directory / "bus" / "octonet" / "nats")
    assert endpoint is not None
    echo = _echo(endpoint)
    try:
        asyncio.run(fill(octonet.url))
        rounds = asyncio.run(_measure(endpoint, seconds))
    finally:
        echo.terminate()
        echo.wait(20)
        octonet.stop()
    bare, ours = (statistics.median(one[side] for one in rounds) for side in (0, 1))
    ratio = statistics.median(one[1] / one[0] for one in rounds)
    say("")
    say(
        f"NATS findById, one client: p50 {ours * 1000:.3f} ms; a bare echo by nats-py {bare * 1000:.3f} ms; ratio "
        f"**{ratio:.2f}** (target: at most {_TARGET:g})"
    )


def _echo(endpoint: Endpoint) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.servers.echo", endpoint.url, endpoint.user, endpoint.password]
    echo = subprocess.Popen(command, cwd=subjects.ROOT, stdout=subprocess.PIPE, text=True)
    assert echo.stdout is not None
    echo.stdout.readline()
    return echo


async def _measure(endpoint: Endpoint, seconds: int) -> list[tuple[float, float]]:
    client = await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password)
    body = json.dumps({"id": ROW}).encode()
    try:
        return [
            (
                await _p50(client, SUBJECT, body, seconds),
                await _p50(client, "mostajs.Item.findById", body, seconds),
            )
            for _ in range(_ROUNDS)
        ]
    finally:
        await client.close()


async def _p50(client: Client, subject: str, body: bytes, seconds: int) -> float:
    for _ in range(_WARM):
        await client.request(subject, body, timeout=10)
    took: list[float] = []
    ends = time.perf_counter() + seconds
    while (began := time.perf_counter()) < ends:
        await client.request(subject, body, timeout=10)
        took.append(time.perf_counter() - began)
    return statistics.median(took)
