"""How fast a database is rebuilt from its log while it is written to, against nats-py's ordered consumer, which only
reads the same facts; and what the writes notice of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import nats

from benchmarks import subjects
from benchmarks.load import BODY
from jetstream.endpoint import Endpoint
from jetstream.server import find_running

ROWS = 200_000
_READ = 200_000
"""Facts that nats-py reads at most: its rate does not change."""
_RATE = 500
_QUIET = 10.0
_FROM_THE_FIRST = ("--no-snapshot",)
_KILLS = 5
_HEADERS = {"Content-Type": "application/json"}
_EQUAL = re.compile(r"equal in all (\d+) rows")


def rebuild(directory: Path, say: Callable[[str], None], rows: int) -> None:
    """Measure and say it."""
    directory.mkdir(parents=True, exist_ok=True)
    _fill(directory, rows)
    server = subjects.octonet(directory)
    try:
        asyncio.run(_Run(directory / "octonet", server.url, rows, say).measure())
    finally:
        server.stop()


def _fill(directory: Path, rows: int) -> None:
    """Real commands through the command path."""
    file = directory / "items.ndjson"
    with file.open("w") as out:
        for number in range(rows):
            out.write(BODY.replace("bolt", f"bolt {number}").replace('"stock":3', f'"stock":{number % 77}') + "\n")
    command = subjects.command("load", directory, "Item", str(file), "--quiet")
    subprocess.run(command, check=True, cwd=subjects.ROOT, capture_output=True)
    file.unlink()


class _Run:
    def __init__(self, directory: Path, url: str, rows: int, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._url = url
        self._rows = rows
        self._say = say

    async def measure(self) -> None:
        say, rows = self._say, self._rows
        endpoint = find_running(self._directory / "nats")
        assert endpoint is not None
        await _relayed(endpoint, rows)
        waiting, calling = await _next_msg(endpoint, rows), await _callback(endpoint, rows)
        quiet = await self._write(asyncio.sleep(_QUIET))
        one = _Rebuild(self._directory.parent, self._last())
        busy = await self._write(one.run())
        rate = rows / one.filled
        say("")
        say(f"Rebuild of {rows} rows while {_RATE} writes a second go on:")
        say("")
        say("| what | measured | target |")
        say("|---|---|---|")
        say(f"| rows filled a second, start of the process included | {rate:.0f} | |")
        say(f"| … : nats-py's ordered consumer, `next_msg` ({waiting:.0f}/s) | **{rate / waiting:.1f}** | 0.6 |")
        say(f"| … : the same with a callback ({calling:.0f}/s) | **{rate / calling:.1f}** | |")
        say(f"| filled, proved equal and taken over, s | {one.took:.1f} | |")
        say(f"| RSS of the rebuild, MB | **{one.rss:.0f}** | 250 |")
        lost = await self._lost(quiet, busy)
        ratio = busy.p99 / quiet.p99
        say(f"| p99 of writes, ms: quiet {quiet.p99:.1f}, meanwhile {busy.p99:.1f} | **{ratio:.1f}×** | 3× |")
        say(f"| longest wait of a write, ms: quiet {quiet.longest:.0f}, meanwhile | {busy.longest:.0f} | |")
        say(f"| writes that were refused, and acknowledged ones that are missing | {lost} | 0, 0 |")
        taken = await self._snapshot()
        short = _Rebuild(self._directory.parent, self._last(), options=())
        await short.run()
        say(f"| taking a snapshot, s; filled, proved and taken over from it, s | {taken:.1f}; {short.took:.1f} | |")
        kills = _Rebuild(self._directory.parent, self._last(), _KILLS, one.filled)
        await kills.run()
        say(f"| killed {_KILLS} times on the way (entries folded by then: {kills.reached}), s | {kills.took:.1f} | |")
        say(f"| rows proved equal after that | {kills.equal} | |")

    async def _lost(self, *written: _Written) -> str:
        ids = {id for one in written for id in one.ids}
        newest = max(self._directory.glob("octonet*.db"), key=_entry)
        with closing(sqlite3.connect(newest)) as database:
            there = {id for (id,) in database.execute("SELECT id FROM items")}
        return f"{sum(one.bad for one in written)}, {len(ids - there)}"

    async def _snapshot(self) -> float:
        """Seconds that it takes."""
        began = time.monotonic()
        command = subjects.command("snapshot", self._directory.parent, "--quiet")
        process = await asyncio.create_subprocess_exec(*command, cwd=subjects.ROOT, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0
        return time.monotonic() - began

    def _last(self) -> int:
        return max(map(_entry, self._directory.glob("octonet*.db")))

    async def _write(self, until: Any) -> _Written:
        """A steady stream of creates, sent when they are due, whatever became of those before."""
        written, tasks = _Written(), set[asyncio.Task[None]]()
        ending = asyncio.ensure_future(until)
        connector = aiohttp.TCPConnector(limit=256)
        async with aiohttp.ClientSession(self._url, connector=connector) as session:
            due = time.monotonic()
            while not ending.done():
                due += 1 / _RATE
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                task = asyncio.create_task(written.one(session))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.gather(*tasks)
        await ending
        return written


class _Written:
    """What became of some writes."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.bad = 0
        self._took: list[float] = []

    async def one(self, session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        async with session.post("/api/v1/Item", data=BODY, headers=_HEADERS) as reply:
            told = await reply.json()
        self._took.append(time.monotonic() - began)
        if reply.status == 201:
            self.ids.append(told["data"]["id"])
        else:
            self.bad += 1

    @property
    def p99(self) -> float:
        """In milliseconds."""
        return statistics.quantiles(self._took, n=100)[98] * 1000

    @property
    def longest(self) -> float:
        """In milliseconds."""
        return max(self._took) * 1000


class _Rebuild:
    """One rebuild, perhaps killed some times on its way to log entry `until`, each time within what another one took.
    `directory`: the one that commands are given, above the data."""

    def __init__(
        self, directory: Path, until: int, kills: int = 0, within: float = 0.0, options: Sequence[str] = _FROM_THE_FIRST
    ) -> None:
        self._directory = directory
        self._until = until
        self._kills = kills
        self._within = within
        self._options = options
        self.filled = self.took = self.rss = 0.0
        self.equal = 0
        self.reached: list[int] = []

    async def run(self) -> None:
        """To its end."""
        before = set((self._directory / "octonet").glob("octonet*.db"))
        began = time.monotonic()
        dice = random.Random(16)
        for _ in range(self._kills):
            process = await self._start()
            await asyncio.sleep(dice.uniform(0.15, 0.3) * self._within)
            assert process.returncode is None, "it was over before it could be killed"
            process.kill()
            await process.wait()
            self.reached.append(max((_entry(path) for path in self._new(before)), default=0))
        process = await self._start()
        watching = asyncio.create_task(self._watch(process.pid, before, began))
        printed, errors = await process.communicate()
        self.took = time.monotonic() - began
        watching.cancel()
        found = _EQUAL.search(printed.decode())
        assert process.returncode == 0, errors.decode()
        assert found is not None
        self.equal = int(found[1])

    async def _start(self) -> asyncio.subprocess.Process:
        command = subjects.command("rebuild", self._directory, "--quiet", *self._options)
        return await asyncio.create_subprocess_exec(
            *command, cwd=subjects.ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )

    def _new(self, before: set[Path]) -> set[Path]:
        return set((self._directory / "octonet").glob("octonet*.db")) - before

    async def _watch(self, pid: int, before: set[Path], began: float) -> None:
        while True:
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.rss = max(self.rss, int(line.split()[1]) / 1024)
            if not self.filled and any(_entry(path) >= self._until for path in self._new(before)):
                self.filled = time.monotonic() - began
            await asyncio.sleep(0.1)


def _entry(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT entry FROM octonet_checkpoint").fetchone()
    except sqlite3.Error:
        return 0
    return int(row[0]) if row else 0


async def _plain(endpoint: Endpoint) -> Any:
    return await nats.connect(endpoint.url, user=endpoint.user, password=endpoint.password, inbox_prefix=endpoint.inbox)


async def _relayed(endpoint: Endpoint, rows: int) -> None:
    """Until every fact is on the stream."""
    client = await _plain(endpoint)
    while (await client.jetstream().stream_info("OCTO_FACTS_default")).state.messages < rows:
        await asyncio.sleep(0.2)
    await client.close()


async def _next_msg(endpoint: Endpoint, rows: int) -> float:
    """Facts a second."""
    client = await _plain(endpoint)
    wanted = min(rows, _READ)
    began = time.monotonic()
    subscription = await client.jetstream().subscribe("mostajs.>", stream="OCTO_FACTS_default", ordered_consumer=True)
    for _ in range(wanted):
        await subscription.next_msg(timeout=10)
    took = time.monotonic() - began
    await client.close()
    return wanted / took


async def _callback(endpoint: Endpoint, rows: int) -> float:
    """Facts a second."""
    client = await _plain(endpoint)
    wanted, found, done = min(rows, _READ), 0, asyncio.Event()

    async def receive(message: Any) -> None:
        nonlocal found
        found += 1
        if found == wanted:
            done.set()

    began = time.monotonic()
    await client.jetstream().subscribe("mostajs.>", stream="OCTO_FACTS_default", ordered_consumer=True, cb=receive)
    await asyncio.wait_for(done.wait(), 600)
    took = time.monotonic() - began
    await client.close()
    return wanted / took
