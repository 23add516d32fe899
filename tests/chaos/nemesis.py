"""Somebody who kills, freezes and cuts off whatever runs, one thing of each kind at a time."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.chaos.stage import Stage


class Nemesis:
    """Breaks one part of the stage after the other until it is cancelled; `done` counts what it did."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._dice = random.Random(seed)
        self.done: Counter[str] = Counter()
        self._faults: list[Callable[[], Awaitable[None]]] = [
            self._kill_door,
            self._freeze_door,
            self._kill_worker,
            self._freeze_worker,
            self._kill_node,
            self._freeze_node,
            self._cut_node_off,
            self._kill_database,
            self._freeze_database,
            self._cut_process_off_brokers,
            self._cut_process_off_database,
        ]

    async def run(self, seconds: float) -> None:
        """Every fault once, in random order, and again, for so many seconds; everything is whole afterwards."""
        until = asyncio.get_running_loop().time() + seconds
        deck: list[Callable[[], Awaitable[None]]] = []
        while asyncio.get_running_loop().time() < until:
            if not deck:
                deck = self._dice.sample(self._faults, len(self._faults))
            fault = deck.pop()
            self.done[fault.__name__.removeprefix("_")] += 1
            await fault()
            await asyncio.sleep(self._dice.uniform(0.2, 1.5))

    async def _kill_door(self) -> None:
        door = self._dice.choice(self._stage.doors)
        door.kill()
        await asyncio.sleep(self._dice.uniform(0.0, 1.0))
        await self._stage.open(door)

    async def _freeze_door(self) -> None:
        door = self._dice.choice(self._stage.doors)
        door.send(signal.SIGSTOP)
        await asyncio.sleep(self._dice.uniform(0.5, 5.0))
        door.send(signal.SIGCONT)

    async def _kill_worker(self) -> None:
        worker = self._dice.choice(self._stage.workers)
        worker.kill()
        await asyncio.sleep(self._dice.uniform(0.0, 2.0))
        worker.start()

    async def _freeze_worker(self) -> None:
        worker = self._dice.choice(self._stage.workers)
        worker.send(signal.SIGSTOP)
        await asyncio.sleep(self._dice.uniform(1.0, 7.0))
        worker.send(signal.SIGCONT)

    async def _kill_node(self) -> None:
        number = self._dice.randrange(3)
        self._stage.nats.send(number, signal.SIGKILL)
        await asyncio.sleep(self._dice.uniform(0.5, 3.0))
        self._stage.nats.start_node(number)
        await self._stage.nats.healthy()

    async def _freeze_node(self) -> None:
        number = self._dice.randrange(3)
        self._stage.nats.send(number, signal.SIGSTOP)
        await asyncio.sleep(self._dice.uniform(0.5, 5.0))
        self._stage.nats.send(number, signal.SIGCONT)
        await self._stage.nats.healthy()

    async def _cut_node_off(self) -> None:
        self._stage.nats.isolate(self._dice.randrange(3))
        await asyncio.sleep(self._dice.uniform(1.0, 6.0))
        self._stage.nats.heal()
        await self._stage.nats.healthy()

    async def _kill_database(self) -> None:
        await asyncio.to_thread(self._stage.postgres.stop)
        await asyncio.sleep(self._dice.uniform(0.0, 2.0))
        # In this very thread: the server dies with the thread that started it.
        self._stage.postgres.start()

    async def _freeze_database(self) -> None:
        self._stage.postgres.send(signal.SIGSTOP)
        await asyncio.sleep(self._dice.uniform(0.5, 5.0))
        self._stage.postgres.send(signal.SIGCONT)

    async def _cut_process_off_brokers(self) -> None:
        links = self._dice.choice(self._stage.links)
        links.cut_brokers()
        await asyncio.sleep(self._dice.uniform(1.0, 8.0))
        links.heal()

    async def _cut_process_off_database(self) -> None:
        links = self._dice.choice(self._stage.links)
        links.cut_database()
        await asyncio.sleep(self._dice.uniform(1.0, 8.0))
        links.heal()
