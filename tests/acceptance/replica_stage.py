"""A project that is written to and read from, with replicas around it that can be broken: doors in one process, lanes
and followers in two others, PostgreSQL servers behind ways that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from jetstream import subjects
from jetstream.connection import Connection, connect
from jetstream.last_message import last_message
from jetstream.log import JetStreamLog
from jetstream.process import Holder
from jetstream.server import find_running
from octonet import dialects
from octonet.access.sealing import AesSealer, project_key
from octonet.kernel.ids import ProjectName
from octonet.kernel.row_hash import RowHashes, row_hashes
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import DatabaseOptions, Strategy
from projections.engine.fold import Fold
from tests.postgres import PostgresServer
from tests.proxy import Proxy
from tests.running import Process, Server

_SHOP = Path(__file__).parent / "shop.json"
_NOTE = {
    "name": "Note",
    "collection": "notes",
    "fields": {"text": {"type": "text"}, "count": {"type": "number", "required": True}},
}
PROJECT = ProjectName("fire")
SCHEMAS = parse(msgspec.json.encode([_NOTE]))
_WITHIN = 120.0
_BEHIND = 10.0
"""Seconds that a writer may fall behind its rate and make good for."""


class Stage:
    """`directory` holds all of it."""

    def __init__(self, directory: Path) -> None:
        self.server = Server(directory / "data", _SHOP, OCTONET_DATABASE_HOSTS="127.0.0.1")
        self.workers: list[Process] = []
        self.postgres = [PostgresServer(), PostgresServer()]
        self.proxies: list[Proxy] = []
        self._directory = directory
        self._client: Connection | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def client(self) -> Connection:
        """A way to the log."""
        assert self._client is not None
        return self._client

    @property
    def session(self) -> aiohttp.ClientSession:
        """A way to the doors."""
        assert self._session is not None
        return self._session

    @property
    def log(self) -> JetStreamLog:
        """The project's."""
        return JetStreamLog(self.client, PROJECT)

    async def start(self) -> None:
        """Everything but the replicas."""
        starting = asyncio.create_task(asyncio.to_thread(self.server.start, "--no-worker", within=_WITHIN))
        while (endpoint := find_running(self.server.directory / "nats")) is None:
            await asyncio.sleep(0.05)
        self.workers = [self.server.launch("work") for _ in range(2)]
        for server in self.postgres:
            await asyncio.to_thread(server.start)
            self.proxies.append(Proxy(server.port))
            await self.proxies[-1].open()
        await starting
        self._client = await connect(endpoint)
        self._session = aiohttp.ClientSession(
            self.server.url, timeout=aiohttp.ClientTimeout(60), connector=aiohttp.TCPConnector(limit=0)
        )
        await self._ready()
        await self.done("POST", "/api/projects", {"name": PROJECT, "schemas": [_NOTE]})

    async def _ready(self) -> None:
        """Wait for a worker to have made the tables of the system project."""
        async with asyncio.timeout(_WITHIN):
            while True:
                async with self.session.get("/api/projects") as reply:
                    if reply.status == 200:
                        return
                await asyncio.sleep(0.1)

    async def remove(self) -> None:
        """All of it."""
        if self._session is not None:
            await self._session.close()
        if self._client is not None:
            await self._client.close()
        for worker in self.workers:
            worker.kill()
        self.server.kill()
        for proxy in self.proxies:
            await proxy.close()
        for server in self.postgres:
            server.remove()

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request that must be fine."""
        async with self.session.request(method, path, json=body) as reply:
            told = await reply.json()
            assert reply.status < 300, told
            return told

    async def replicas(self) -> dict[str, dict[str, Any]]:
        """Their status rows, by name."""
        told = await self.done("GET", f"/api/projects/{PROJECT}/replicas")
        return {row["name"]: row for row in told["replicas"]}

    async def until(self, name: str, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait for a status row to be as it is wanted."""
        async with asyncio.timeout(_WITHIN):
            while not wanted(found := (await self.replicas())[name]):
                await asyncio.sleep(0.05)
        return found

    async def follower(self, name: str) -> Process:
        """The process that follows a replica."""
        found = await self.until(name, lambda row: row["follower"])
        return self._worker(int(found["follower"].partition("-")[0]))

    async def owner(self) -> Process:
        """The process that owns the project's lane."""
        _, body = await last_message(self.client, subjects.LEASES, subjects.lease(PROJECT))
        return self._worker(msgspec.json.decode(body, type=Holder).process)

    def _worker(self, process: int) -> Process:
        return next(worker for worker in self.workers if worker.pid == process)

    def replace(self, worker: Process) -> None:
        """Kill a worker, and start another one."""
        worker.kill()
        self.workers[self.workers.index(worker)] = self.server.launch("work")

    def uri(self, number: int, port: int = 0) -> str:
        """Of the replica's database on a PostgreSQL server."""
        return self.postgres[number].uri(self._directory, port)

    def file(self, name: str) -> Path:
        """Of the SQLite database of a replica."""
        return self.server.directory / f"{name}.db"

    async def hashes(self, dialect: str, uri: str) -> RowHashes:
        """Of everything in a database."""
        database = await dialects.find(dialect).open(uri, SCHEMAS, DatabaseOptions())
        try:
            return await row_hashes(database, SCHEMAS)
        finally:
            await database.close(kept=True)

    async def folded(self) -> RowHashes:
        """Of what the log says."""
        log = self.log
        database = await dialects.find("sqlite").open(
            f"sqlite:///{self._directory / secrets.token_hex(4)}.db", SCHEMAS, DatabaseOptions()
        )
        try:
            await database.migrate(SCHEMAS, Strategy.UPDATE)
            sealer = AesSealer(project_key(self.server.directory / "keys", PROJECT))
            await Fold(log, database, SCHEMAS, sealer).catch_up(await log.last(), lambda link: None)
            return await row_hashes(database, SCHEMAS)
        finally:
            await database.close(kept=True)

    async def checkpoint(self, number: int | None, name: str) -> int:
        """The log entry that a replica stands at, asked where it lies: on a PostgreSQL server, or in a file."""
        if number is None:
            with contextlib.closing(sqlite3.connect(self.file(name))) as database:
                return int(database.execute("SELECT entry FROM octonet_checkpoint").fetchone()[0])
        connection = await asyncpg.connect(self.uri(number))
        try:
            return int(await connection.fetchval("SELECT entry FROM octonet_checkpoint"))
        finally:
            await connection.close()


@asynccontextmanager
async def staged(directory: Path) -> AsyncIterator[Stage]:
    """A stage for as long as it is needed."""
    stage = Stage(directory)
    try:
        await stage.start()
        yield stage
    finally:
        await stage.remove()


class Load:
    """Writers of `rate` writes a second in all, and readers, of which none may ever be refused or see less than it
    was told."""

    def __init__(self, stage: Stage, rate: float, writers: int = 16, readers: int = 4) -> None:
        self._stage = stage
        self._pause = writers / rate
        self.acknowledged: dict[str, int] = {}
        """Each note's count, as it was acknowledged last."""
        self._last: dict[str, tuple[int, str]] = {}
        self.written = self.read = 0
        self.faults: list[str] = []
        self.reading: list[float] = []
        """Seconds that each read took."""
        self._over = asyncio.Event()
        work: list[Awaitable[None]] = [self._write(number) for number in range(writers)]
        work += [self._read(number) for number in range(readers)]
        self._tasks = [asyncio.ensure_future(one) for one in work]
        self._since = time.monotonic()

    async def stop(self) -> float:
        """Let everybody finish; writes a second."""
        self._over.set()
        await asyncio.gather(*self._tasks)
        return self.written / (time.monotonic() - self._since)

    async def __aenter__(self) -> Load:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self, number: int) -> None:
        """Makes notes and counts them up, one after the other; what it was not told it asks again."""
        mine: list[str] = []
        due = time.monotonic() + random.random() * self._pause
        while not self._over.is_set():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + self._pause, time.monotonic() - _BEHIND)
            if not mine or random.random() < 0.3:
                await self._say(mine, "POST", f"/{PROJECT}/api/v1/notes", {"text": f"of {number}", "count": 0})
            else:
                id = random.choice(mine)
                count = self.acknowledged[id] + 1
                await self._say(mine, "PUT", f"/{PROJECT}/api/v1/notes/{id}", {"count": count})

    async def _say(self, mine: list[str], method: str, path: str, body: Any) -> None:
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        for _ in range(100):
            try:
                async with self._stage.session.request(method, path, json=body, headers=headers) as reply:
                    told = await reply.json()
            except (aiohttp.ClientError, TimeoutError) as problem:
                self.faults.append(f"a write was not answered: {problem!r}")
                return
            if reply.status < 300:
                break
            code = told["error"]["code"]
            if code not in ("OUTCOME_UNKNOWN", "IDEMPOTENCY_KEY_IN_FLIGHT", "DB_NOT_CONNECTED", "UNAVAILABLE"):
                self.faults.append(f"a write was refused: {told}")
                return
            await asyncio.sleep(0.2)
        id = told["data"]["id"]
        if method == "POST":
            mine.append(id)
        self.written += 1
        self.acknowledged[id] = body["count"]
        self._last[id] = body["count"], reply.headers["Octonet-Position"]

    async def _read(self, number: int) -> None:
        while not self._over.is_set():
            await asyncio.sleep(0.02 + random.random() * 0.02)
            if not self._last:
                continue
            id = random.choice(list(self._last)[-200:])
            count, position = self._last[id]
            headers = {"Octonet-Min-Position": position} if number % 2 else {}
            await self._look(id, count, headers)

    async def _look(self, id: str, count: int, headers: dict[str, str]) -> None:
        began = time.monotonic()
        try:
            async with self._stage.session.get(f"/{PROJECT}/api/v1/notes/{id}", headers=headers) as reply:
                told = await reply.json()
        except (aiohttp.ClientError, TimeoutError) as problem:
            self.faults.append(f"a read was not answered: {problem!r}")
            return
        self.read += 1
        self.reading.append(time.monotonic() - began)
        if reply.status != 200:
            self.faults.append(f"a read was refused: {told}")
        elif headers and (told["data"] is None or told["data"]["count"] < count):
            self.faults.append(f"a read with the position of {count} saw {told['data']}")


@asynccontextmanager
async def stopped(send: Callable[[signal.Signals], None]) -> AsyncIterator[None]:
    """Paused for a while, and woken whatever happens."""
    send(signal.SIGSTOP)
    try:
        yield
    finally:
        send(signal.SIGCONT)


def quantile(found: list[float], part: float) -> float:
    """Of measured times; 0 where there are none."""
    return sorted(found)[min(len(found) - 1, int(len(found) * part))] if found else 0.0
