"""Everything on one machine: a cluster of three nats-servers, PostgreSQL, three doors, two workers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
from pathlib import Path

from jetstream.endpoint import Endpoint
from tests import postgres
from tests.nats_cluster import NatsCluster
from tests.running import ROOT, Server

DOORS = 3
WORKERS = 2


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
        self.nats = NatsCluster(directory / "nats")
        self.postgres = postgres.server()
        self.uri = self.postgres.uri(directory)
        environment = {**self.nats.environment, "DB_DIALECT": "postgres", "SGBD_URI": self.uri}
        self.doors = [
            Server(directory / "data", schemas, program=("-m", "octonet"), **environment) for _ in range(DOORS)
        ]
        self._keeping: asyncio.Task[None] | None = None
        self.workers = [Worker(self.doors[0], worker) for _ in range(WORKERS)]

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
        for worker in self.workers:
            worker.start()
        self._keeping = asyncio.create_task(self._keep())
        for door in self.doors:
            await self.open(door)

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
