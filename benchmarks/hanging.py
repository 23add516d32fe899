"""A project whose database hangs, and what fifty others notice of it: p99 of their requests, against quiet times."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import aiohttp

from benchmarks import subjects
from benchmarks.load import BODY
from tests.postgres import PostgresServer, missing

_OTHERS = 50
_RATE = 200
"""Requests a second to the others, at fixed moments: who answers late does not slow the load down."""
_BOTHERING = 8
"""Clients that go on asking the project that hangs."""
_HEADERS = {"Content-Type": "application/json"}


def hanging(directory: Path, say: Callable[[str], None], seconds: int) -> None:
    """Measure and say it."""
    say("")
    if why := missing():
        say(f"What a hanging database does to other projects was not measured: {why}")
        return
    database = PostgresServer()
    database.start()
    tree = directory / "tree.json"
    tree.write_text(json.dumps(_tree(database.uri(directory))))
    octonet = subjects.octonet(directory / "hanging", MOSTA_PROJECTS=str(tree))
    try:
        quiet, hung, refused = asyncio.run(_phases(octonet.url, database, seconds))
    finally:
        octonet.stop()
        database.remove()
    say(
        f"{_OTHERS} projects on SQLite, {_RATE} requests/s (half creates, half gets by id), while the PostgreSQL of "
        f"one more project is frozen for {seconds} s and {_BOTHERING} clients go on asking it ({refused} of their "
        f"requests failed): p99 {hung:.1f} ms, in quiet times before and after {quiet:.1f} ms, ratio "
        f"**{hung / quiet:.2f}** (target: at most 1.5)"
    )


def _tree(uri: str) -> dict[str, object]:
    schemas = json.loads((subjects.ROOT / "benchmarks" / "schema.json").read_text())
    others = {_name(number): {"schemas": schemas} for number in range(_OTHERS)}
    return {"hung": {"schemas": schemas, "dialect": "postgres", "uri": uri}, **others}


def _name(number: int) -> str:
    return f"p{number}"


async def _phases(url: str, database: PostgresServer, seconds: int) -> tuple[float, float, int]:
    """p99 in milliseconds: in quiet times, and while the database hangs; and the requests that failed for it."""
    failed: list[int] = []
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        bothering = [asyncio.create_task(_bother(session, failed)) for _ in range(_BOTHERING)]
        await _p99(session, max(seconds // 6, 2))
        before = await _p99(session, seconds)
        database.send(signal.SIGSTOP)
        try:
            hung = await _p99(session, seconds)
        finally:
            database.send(signal.SIGCONT)
        await asyncio.sleep(3.0)
        after = await _p99(session, seconds)
        for task in bothering:
            task.cancel()
        await asyncio.gather(*bothering, return_exceptions=True)
    return statistics.mean([before, after]), hung, len(failed)


async def _bother(session: aiohttp.ClientSession, failed: list[int]) -> None:
    timeout = aiohttp.ClientTimeout(total=5)
    while True:
        with suppress(TimeoutError, aiohttp.ClientError):
            async with session.post("/hung/api/v1/Item", data=BODY, headers=_HEADERS, timeout=timeout) as reply:
                if reply.status >= 500:
                    failed.append(reply.status)
            await asyncio.sleep(0.05)
            continue
        failed.append(0)


async def _p99(session: aiohttp.ClientSession, seconds: int) -> float:
    latencies: list[float] = []
    known: list[tuple[str, str]] = []

    async def create(path: str) -> None:
        async with session.post(path, data=BODY, headers=_HEADERS) as reply:
            assert reply.status == 201, await reply.text()
            known.append((path, (await reply.json())["data"]["id"]))

    async def one(due: float) -> None:
        await asyncio.sleep(due - time.perf_counter())
        if known and random.random() < 0.5:
            path, id = random.choice(known)
            async with session.get(f"{path}/{id}") as reply:
                assert reply.status == 200
                await reply.read()
        else:
            await create(f"/{_name(random.randrange(_OTHERS))}/api/v1/Item")
        latencies.append((time.perf_counter() - due) * 1000)

    began = time.perf_counter() + 0.1
    await asyncio.gather(*(one(began + number / _RATE) for number in range(seconds * _RATE)))
    return statistics.quantiles(latencies, n=100)[98]
