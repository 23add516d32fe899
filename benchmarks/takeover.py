"""How long writes wait when the worker that owns their project is killed, or stops: the longest pause between two
acknowledgements, with another worker standing by."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from benchmarks import subjects
from benchmarks.load import BODY
from jetstream.connection import connect
from jetstream.endpoint import Endpoint
from jetstream.owners import Owners
from jetstream.server import EmbeddedServer
from octonet.kernel.ids import DEFAULT_PROJECT

_ROUNDS = 5
_STEADY = 6.0
"""Seconds between two deaths: the lane has come to rest by then."""
_HEADERS = {"Content-Type": "application/json"}


def takeover(directory: Path, say: Callable[[str], None]) -> None:
    """Measure and say it."""
    say("")
    say("| pause of writes when their owner … | median s | longest s | target: at most |")
    say("|---|---|---|---|")
    for what, sign, elsewhere, target in (
        ("stops in good order", signal.SIGTERM, False, "1"),
        ("is killed (kill -9)", signal.SIGKILL, False, "5"),
        ("is killed on another machine (a host name of its own)", signal.SIGKILL, True, "5"),
    ):
        if elsewhere and shutil.which("unshare") is None:
            say(f"| {what} | not measured: no `unshare` here | | |")
            continue
        pauses = _measure(directory / what.replace(" ", "-"), sign, elsewhere)
        say(f"| {what} | **{statistics.median(pauses):.2f}** | {max(pauses):.2f} | {target} |")


def _measure(directory: Path, sign: signal.Signals, elsewhere: bool) -> list[float]:
    broker = EmbeddedServer(directory / "broker")
    broker.spawn()
    broker.wait_ready()
    way = broker.endpoint
    environment = {"NATS_URL": way.url, "NATS_USER": way.user, "NATS_PASSWORD": way.password}
    workers = [subjects.Worker(directory, f"host-{number}" if elsewhere else "", **environment) for number in range(2)]
    doors = subjects.octonet(directory, "--no-worker", **environment)
    try:
        return asyncio.run(_pauses(doors.url, way, workers, sign))
    finally:
        doors.stop()
        for worker in workers:
            worker.stop()
        broker.stop()


async def _pauses(url: str, way: Endpoint, workers: list[subjects.Worker], sign: signal.Signals) -> list[float]:
    client = await connect(way)
    owners = Owners(client)
    await owners.open([DEFAULT_PROJECT])
    told: list[float] = []
    writing = asyncio.create_task(_write(url, told))
    pauses = []
    for _ in range(_ROUNDS):
        await asyncio.sleep(_STEADY)
        process = int(owners.of(DEFAULT_PROJECT).partition("-")[0])
        victim = next(worker for worker in workers if worker.pid == process)
        count = len(told)
        os.kill(process, sign)
        await asyncio.sleep(_STEADY)
        pauses.append(max(later - earlier for earlier, later in zip(told[count - 1 :], told[count:], strict=False)))
        victim.start()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await client.close()
    return pauses


async def _write(url: str, told: list[float]) -> None:
    async with aiohttp.ClientSession(url) as session:
        while True:
            async with session.post("/api/v1/Item", data=BODY, headers=_HEADERS) as reply:
                if reply.status == 201:
                    told.append(time.monotonic())
            await asyncio.sleep(0.005)
