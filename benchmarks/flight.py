"""Rows in and out through Arrow Flight, against the same rows through REST; and what REST notices of streams."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pyarrow as pa
from pyarrow import flight

from benchmarks import subjects
from benchmarks.load import run

ROWS = 100_000
_BATCH = 10_000
_PARALLEL = 20
_PAGES = (100, 1000)
_MOST_PAGED = 100_000
"""Rows that are read by pages at most: their rate does not change."""
_DESCRIPTOR = flight.FlightDescriptor.for_path("Item")


def flights(directory: Path, say: Callable[[str], None], rows: int, seconds: int) -> None:
    """Measure and say it."""
    directory.mkdir(parents=True, exist_ok=True)
    port = subjects.free_port()
    server = subjects.octonet(
        directory, MOSTA_NET_ARROW_ENABLED="true", MOSTA_NET_ARROW_PORT=str(port), OCTONET_QUERY_TIMEOUT="60"
    )
    try:
        _Run(server, f"grpc://127.0.0.1:{port}", directory / "octonet" / "octonet.db", rows, seconds, say).measure()
    finally:
        server.stop()


class _Run:
    def __init__(
        self,
        server: subjects.Subject,
        location: str,
        database: Path,
        rows: int,
        seconds: int,
        say: Callable[[str], None],
    ) -> None:
        self._server = server
        self._location = location
        self._database = database
        self._rows = rows
        self._seconds = seconds
        self._say = say

    def measure(self) -> None:
        say, rows = self._say, self._rows
        created = run(self._server.url, "create", 128, self._seconds)
        before, start = self._count(), self._position()
        with _Peak(self._server) as peak:
            put = self._put()
        there = self._count() - before
        say("")
        say(f"{rows} rows through Arrow Flight, one client (REST: 128 connections):")
        say("")
        say("| what | measured | target |")
        say("|---|---|---|")
        say(f"| rows written a second by DoPut, batches of {_BATCH} | {put:.0f} | |")
        say(f"| … : rows created a second by REST ({created.rate:.0f}) | **{put / created.rate:.1f}×** | 3× |")
        say(f"| rows acknowledged, rows in the database, facts in the log | {rows}, {there}, {self._facts(start)} | |")
        say(f"| RSS at most while they are written, MB | **{peak.rss:.0f}** | 300 |")
        with _Peak(self._server) as peak:
            got = self._get()
        say(f"| rows read a second by DoGet | {got:.0f} | |")
        for page in _PAGES:
            paged = asyncio.run(self._paged(page))
            target = "20×" if page == _PAGES[0] else ""
            say(f"| … : by REST, pages of {page} ({paged:.0f}) | **{got / paged:.1f}×** | {target} |")
        say(f"| RSS at most while they are read, MB | {peak.rss:.0f} | |")
        quiet = run(self._server.url, "get", 8, self._seconds)
        with _Peak(self._server) as peak, self._reading():
            busy = run(self._server.url, "get", 8, self._seconds)
        say(f"| REST, one row, p50/p99 ms: quiet {quiet.latencies}, beside {_PARALLEL} DoGets | {busy.latencies} | |")
        say(f"| RSS at most beside them, MB | {peak.rss:.0f} | |")
        with self._stalled():
            slow = run(self._server.url, "get", 8, self._seconds)
        say(f"| … beside {_PARALLEL} DoGets whose clients do not read | {slow.latencies} | |")

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for start in range(0, self._rows, _BATCH):
            count = min(_BATCH, self._rows - start)
            yield pa.record_batch(
                {
                    "name": [f"bolt {number}" for number in range(start, start + count)],
                    "category": ["metal"] * count,
                    "price": [2.5] * count,
                    "stock": [number % 77 for number in range(count)],
                    "active": [True] * count,
                    "made": pa.array([1_767_323_045_000] * count, pa.timestamp("ms", "UTC")),
                }
            )

    def _put(self) -> float:
        """Rows a second."""
        written = 0
        batches = list(self._batches())
        with flight.connect(self._location) as client:
            began = time.monotonic()
            writer, reader = client.do_put(_DESCRIPTOR, batches[0].schema)
            sending = threading.Thread(target=_send, args=(writer, batches))
            sending.start()
            while (told := reader.read()) is not None:
                written += json.loads(told.to_pybytes())["written"]
            took = time.monotonic() - began
            sending.join()
            writer.close()
        assert written == self._rows, written
        return self._rows / took

    def _get(self) -> float:
        """Rows a second."""
        began = time.monotonic()
        with flight.connect(self._location) as client:
            found = int(sum(chunk.data.num_rows for chunk in _reader(client)))
        return found / (time.monotonic() - began)

    async def _paged(self, page: int) -> float:
        """Rows a second, by one client that reads whole pages and follows their cursors."""
        began, found, cursor = time.monotonic(), 0, ""
        async with aiohttp.ClientSession(self._server.url) as session:
            while found < _MOST_PAGED:
                path = f"/api/v1/Item?limit={page}" + (f"&cursor={cursor}" if cursor else "")
                async with session.get(path) as reply:
                    told = json.loads(await reply.read())
                found += len(told["data"])
                cursor = told["metadata"].get("cursor", "")
                if not cursor:
                    break
        return found / (time.monotonic() - began)

    def _reading(self) -> _Readers:
        return _Readers(self._location, stalled=False)

    def _stalled(self) -> _Readers:
        return _Readers(self._location, stalled=True)

    def _count(self) -> int:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM items").fetchone()[0])

    def _facts(self, start: str) -> int:
        """How many different rows the facts behind a position are about."""
        found: set[str] = set()
        with flight.connect(self._location) as client:
            wish = json.dumps({"entity": "Item", "after": start})
            _, reader = client.do_exchange(flight.FlightDescriptor.for_command(wish))
            reader.read_chunk()
            while len(found) < self._rows:
                found.update(reader.read_chunk().data.column("id").to_pylist())
            reader.cancel()
        return len(found)

    def _position(self) -> str:
        """The log's end."""
        with flight.connect(self._location) as client:
            _, reader = client.do_exchange(_DESCRIPTOR)
            found = json.loads(reader.read_chunk().app_metadata.to_pybytes())["position"]
            reader.cancel()
        return str(found)


def _send(writer: flight.FlightStreamWriter, batches: list[pa.RecordBatch]) -> None:
    for batch in batches:
        writer.write_batch(batch)
    writer.done_writing()


def _reader(client: flight.FlightClient) -> flight.FlightStreamReader:
    return client.do_get(client.get_flight_info(_DESCRIPTOR).endpoints[0].ticket)


class _Peak:
    """The largest RSS of a server within a block."""

    def __init__(self, server: subjects.Subject) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.rss = 0.0

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.rss = max(self.rss, self._server.rss())


class _Readers:
    """Clients that stream all rows again and again, or begin to, and stop."""

    def __init__(self, location: str, stalled: bool) -> None:
        self._location = location
        self._stalled = stalled
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(_PARALLEL)]

    def __enter__(self) -> _Readers:
        for thread in self._threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        with flight.connect(self._location) as client:
            while not self._over.is_set():
                reader = _reader(client)
                for _ in reader:
                    if self._stalled or self._over.is_set():
                        break
                if self._stalled:
                    self._over.wait()
                reader.cancel()
