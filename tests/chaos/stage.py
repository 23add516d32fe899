"""Everything on one machine: a cluster of three nats-servers, PostgreSQL, three doors, two workers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jetstream.endpoint import Endpoint
from tests import postgres
from tests.nats_cluster import NatsCluster
from tests.proxy import Proxy
from tests.running import ROOT, Server

DOORS = 3
WORKERS = 2


class Links:
    """The ways of one process to the brokers and to the database, which can be cut."""

    def __init__(self, nodes: Sequence[int], database: int) -> None:
        self._nodes = [Proxy(port) for port in nodes]
        self._database = Proxy(database)

    async def open(self) -> None:
        """Listen."""
        for proxy in (*self._nodes, self._database):
            await proxy.open()

    @property
    def nodes(self) -> list[int]:
        """Where the process reaches the brokers."""
        return [proxy.port for proxy in self._nodes]

    @property
    def database(self) -> int:
        """Where it reaches the database."""
        return self._database.port

    def cut_brokers(self) -> None:
        """No broker hears it, and it hears none."""
        for proxy in self._nodes:
            proxy.cut()

    def cut_database(self) -> None:
        """The same with the database."""
        self._database.cut()

    def heal(self) -> None:
        """Whole again."""
        for proxy in (*self._nodes, self._database):
            proxy.heal()

    async def close(self) -> None:
        """For good."""
        for proxy in (*self._nodes, self._database):
            await proxy.close()


class Worker:
    """`octonet work`, which can be killed, frozen and started again."""

    def __init__(self, like: Server, program: tuple[str, ...]) -> None:
        self._like = like
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; it stands by until a lane is free."""
        command = [sys.executable, *self._program, "work", *self._like.command()[len(self._program) + 1 :]]
        log = (self._like.directory.parent / "workers.log").open("a")
        self._process = subprocess.Popen(
            command, env=self._like.environment(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log
        )
        log.close()

    def gave_up(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None and self._process.returncode > 0

    def send(self, sign: signal.Signals) -> None:
        """Signal it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(sign)

    def stop(self) -> None:
        """End it in good order, by force after a while."""
        if self._process is None:
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End it now."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


class Stage:
    """What runs, and how it is reached."""

    def __init__(self, directory: Path, schemas: Path, worker: tuple[str, ...] = ("-m", "octonet")) -> None:
        self.directory = directory
        self._schemas = schemas
        self._program = worker
        self.nats = NatsCluster(directory / "nats")
        self.postgres = postgres.server()
        self.uri = self.postgres.uri(directory)
        self.links = [Links(self.nats.ports, self.postgres.port) for _ in range(DOORS + WORKERS)]
        """Of every door and worker."""
        self.doors: list[Server] = []
        self.workers: list[Worker] = []
        self._keeping: asyncio.Task[None] | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where the log is."""
        return self.nats.endpoint

    def url(self) -> str:
        """Any door."""
        return random.choice(self.doors).url

    async def start(self) -> None:
        """Start everything; the doors are open when this returns."""
        await self.nats.start()
        for links in self.links:
            await links.open()
        processes = [self._process(links) for links in self.links]
        self.doors = processes[:DOORS]
        self.workers = [Worker(process, self._program) for process in processes[DOORS:]]
        for worker in self.workers:
            worker.start()
        self._keeping = asyncio.create_task(self._keep())
        for door in self.doors:
            await self.open(door)

    def _process(self, links: Links) -> Server:
        uri = self.postgres.uri(self.directory, links.database)
        environment = {**self.nats.environment(links.nodes), "DB_DIALECT": "postgres", "SGBD_URI": uri}
        return Server(self.directory / "data", self._schemas, program=("-m", "octonet"), **environment)

    async def _keep(self) -> None:
        """A worker that gives up at its start, because it finds no broker, is started again, as supervisors do."""
        while True:
            await asyncio.sleep(0.5)
            for worker in self.workers:
                if worker.gave_up():
                    worker.start()

    async def open(self, door: Server) -> None:
        """Start a door again, as a supervisor would: again and again until it stays."""
        for _ in range(20):
            with contextlib.suppress(AssertionError):
                await asyncio.to_thread(door.start, "--no-worker", within=60.0)
                return
            await asyncio.sleep(1.0)
        raise AssertionError("the door does not open any more")

    async def _leave(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None

    async def stop(self) -> None:
        """Doors and workers in good order, then what they need."""
        await self._leave()
        for door in self.doors:
            if door.alive():
                await asyncio.to_thread(door.stop)
        for worker in self.workers:
            await asyncio.to_thread(worker.stop)

    async def remove(self) -> None:
        """Everything, now."""
        await self._leave()
        for door in self.doors:
            door.kill()
        for worker in self.workers:
            worker.kill()
        await self.nats.stop()
        for links in self.links:
            await links.close()
