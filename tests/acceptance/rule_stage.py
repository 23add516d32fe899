"""Two projects with a rule that goes both ways, written to on both sides at once, while the workers that carry it out
are killed, frozen and woken."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from jetstream.connection import Connection, connect
from jetstream.log import JetStreamLog
from jetstream.server import find_running
from octonet import dialects
from octonet.kernel.chain import entries
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import Batch
from octonet.kernel.row_hash import EntityHash, row_hashes
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import DatabaseOptions
from tests.acceptance.replica_client import SHOP
from tests.acceptance.rule_client import RuleClient
from tests.running import Process, Server

PROJECTS = ("left", "right")
_ROWS = 30
_WRITERS = 6
_WITHIN = 120.0
_DOC = {
    "name": "Doc",
    "collection": "docs",
    "timestamps": True,
    "fields": {"text": {"type": "text"}, "count": {"type": "number", "default": 0}},
    "relations": {
        "folder": {"target": "Folder", "type": "many-to-one", "nullable": True, "onDelete": "set-null"},
        "pile": {"target": "Pile", "type": "many-to-one", "nullable": True, "onDelete": "set-null"},
    },
}
_FOLDER = {
    "name": "Folder",
    "collection": "folders",
    "softDelete": True,
    "fields": {"name": {"type": "string", "required": True}},
}
_PILE = {"name": "Pile", "collection": "piles", "fields": {"name": {"type": "string"}}}
SCHEMAS = [_FOLDER, _PILE, _DOC]
_PARSED = parse(msgspec.json.encode(SCHEMAS))


class Stage:
    """`directory` holds all of it."""

    def __init__(self, directory: Path) -> None:
        self.server = Server(directory / "data", SHOP)
        self.workers: list[Process] = []
        self.written = 0
        self._client: Connection | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def client(self) -> RuleClient:
        """A way to the doors."""
        assert self._session is not None
        return RuleClient(self._session, self.server)

    @property
    def connection(self) -> Connection:
        """A way to the logs."""
        assert self._client is not None
        return self._client

    async def start(self, resolution: str) -> None:
        """Doors in one process, two workers beside it."""
        starting = asyncio.create_task(asyncio.to_thread(self.server.start, "--no-worker", within=_WITHIN))
        while (endpoint := find_running(self.server.directory / "nats")) is None:
            await asyncio.sleep(0.05)
        self.workers = [self.server.launch("work") for _ in range(2)]
        await starting
        self._client = await connect(endpoint)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60))
        async with asyncio.timeout(_WITHIN):
            while (await self.client.ask("GET", "/api/projects"))[0] != 200:
                await asyncio.sleep(0.1)
        for name in PROJECTS:
            await self.client.place(name, SCHEMAS)
        await self.client.rule("both", *PROJECTS, "bidirectional", conflictResolution=resolution)

    async def remove(self) -> None:
        """All of it."""
        if self._session is not None:
            await self._session.close()
        if self._client is not None:
            await self._client.close()
        for worker in self.workers:
            worker.kill()
        self.server.kill()

    async def write(self, seconds: float, seed: int) -> None:
        """Change the same few rows on both sides at the same time, by create, update and delete."""
        end = asyncio.get_running_loop().time() + seconds
        writers = [self._writer(project, random.Random(seed + n), end) for project in PROJECTS for n in range(_WRITERS)]
        await asyncio.gather(*writers)

    async def _writer(self, project: str, chance: random.Random, end: float) -> None:
        while asyncio.get_running_loop().time() < end:
            what, id = chance.choice(("docs", "docs", "docs", "folders", "piles")), f"row-{chance.randrange(_ROWS)}"
            path = f"/{project}/api/v1/{what}"
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                status = await self._one(chance, path, what, id)
                self.written += status < 300

    async def _one(self, chance: random.Random, path: str, what: str, id: str) -> int:
        mark = str(chance.random())
        body: dict[str, Any] = {"text": mark} if what == "docs" else {"name": mark}
        if what == "docs" and chance.random() < 0.3:
            body[chance.choice(("folder", "pile"))] = f"row-{chance.randrange(_ROWS)}"
        turn = chance.random()
        if turn < 0.1:
            return int((await self.client.ask("DELETE", f"{path}/{id}"))[0])
        if turn < 0.6:
            return int((await self.client.ask("PUT", f"{path}/{id}", body))[0])
        return int((await self.client.ask("POST", path, {"id": id, **body}))[0])

    async def trouble(self, seconds: float, chance: random.Random) -> int:
        """Kill, or freeze and wake, one worker after the other; returns how often."""
        end, times = asyncio.get_running_loop().time() + seconds, 0
        while (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, chance.uniform(2.0, 4.0)))
            index = chance.randrange(2)
            if chance.random() < 0.5:
                await asyncio.to_thread(self.workers[index].kill)
                self.workers[index] = self.server.launch("work")
            else:
                self.workers[index].send(signal.SIGSTOP)
                await asyncio.sleep(chance.uniform(0.5, 4.0))
                self.workers[index].send(signal.SIGCONT)
            times += 1
        return times

    async def converged(self) -> dict[str, EntityHash]:
        """Wait until both have the same rows by their hashes, and give these."""
        async with asyncio.timeout(_WITHIN):
            while True:
                left, right = [await self._hashes(name) for name in PROJECTS]
                if left == right and await self._is_still():
                    return left
                await asyncio.sleep(0.2)

    async def travels(self) -> tuple[Counter[tuple[str, str, tuple[int, int]]], int, Counter[str]]:
        """How often each state was carried into each project, by row and stamp, counting those that had an effect; how
        many facts that were carried came back to where they were decided; and the rows that were refused."""
        carried: Counter[tuple[str, str, tuple[int, int]]] = Counter()
        back, refused = 0, Counter[str]()
        for name in PROJECTS:
            log = JetStreamLog(self.connection, ProjectName(name))
            async for link in entries(log, 1, await log.last()):
                for decision in link.entry.decisions if isinstance(link.entry, Batch) else ():
                    origin = decision.actor.origin
                    if origin is None:
                        continue
                    back += name in origin.chain
                    if decision.rejection is not None:
                        refused[decision.rejection.code] += 1
                    if decision.events:
                        carried[name, f"{origin.entity} {origin.id}", origin.stamp] += 1
        return carried, back, refused

    async def _hashes(self, name: str) -> dict[str, EntityHash]:
        """Without versions, which count what happened on each side."""
        uri = f"sqlite:///{self.server.directory / name}.db"
        database = await dialects.find("sqlite").open(uri, _PARSED, DatabaseOptions())
        try:
            found = await row_hashes(database, _PARSED, versions=False)
            return dict(found.entities)
        finally:
            await database.close(kept=True)

    async def _is_still(self) -> bool:
        """Whether everything that was written is carried."""
        stats = await self.client.stats("both")
        ends = {name: await JetStreamLog(self.connection, ProjectName(name)).last() for name in PROJECTS}
        return bool(stats["state"] == "running" and stats["position"] == ends)
