"""Both logs of a replication rule, folded into its register as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jetstream.connection import Connection
from jetstream.log import JetStreamLog
from octonet.admin.rule_rows import RuleSettings
from octonet.kernel.chain import Assembler, Link, stands
from octonet.kernel.log import Batch, Recorded
from octonet.kernel.merge import Side
from octonet.kernel.replica import Lag
from octonet.serving.register import Key, Mark, Register

_WAITING = 1
"""Batches of messages that are read ahead."""
_AT_ONCE = 512
"""Facts that are folded in one go: others on the same loop wait for so long."""


class Tails:
    """Reads from where the register is. `news` is set when there is something to take."""

    def __init__(self, client: Connection, rule: RuleSettings, register: Register, news: asyncio.Event) -> None:
        self._register = register
        self.logs = {side: JetStreamLog(client, rule.project(side)) for side in Side}
        self._queues: dict[Side, asyncio.Queue[Sequence[Recorded]]] = {side: asyncio.Queue(_WAITING) for side in Side}
        self._assemblers: dict[Side, Assembler] = {}
        self._news = news
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin. A register that was made from other logs is made anew. Raises `Unavailable`, `LogGap`."""
        for side, log in self.logs.items():
            mark = self._register.mark(side)
            if mark.entry > await log.last() or not await stands(log, *mark):
                self._register.restart()
        for side in Side:
            self._assemblers[side] = Assembler(*self._register.mark(side))
            self._tasks.append(asyncio.create_task(self._pump(side), name=f"tail of {side.name}"))

    async def close(self) -> None:
        """Read no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def position(self, side: Side) -> int:
        """The last message that was folded."""
        return self._assemblers[side].sequence

    async def lag(self, side: Side, entry: int) -> Lag:
        """How far something is behind that has come to `entry`. Raises `Unavailable`."""
        return await self.logs[side].lag(entry)

    async def take(self, touched: dict[Key, None], most: int) -> None:
        """Fold what has come, until `most` rows are touched."""
        for side in Side:
            queue = self._queues[side]
            while not queue.empty() and len(touched) < most:
                touched |= dict.fromkeys(await self._fold(side, queue.get_nowait()))
        if any(not queue.empty() for queue in self._queues.values()):
            self._news.set()

    async def reach(self, side: Side, entry: int, touched: dict[Key, None]) -> None:
        """Fold until this entry is. Raises `LogGap`."""
        while self.position(side) < entry:
            self.check()
            touched |= dict.fromkeys(await self._fold(side, await self._next(side)))

    async def _next(self, side: Side) -> Sequence[Recorded]:
        waiting = asyncio.ensure_future(self._queues[side].get())
        try:
            await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            self.check()
            return await waiting
        finally:
            waiting.cancel()

    def check(self) -> None:
        """Raises what reading ended with, if it did."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def _fold(self, side: Side, messages: Sequence[Recorded]) -> list[Key]:
        touched, links, facts = dict[Key, None](), list[Link](), 0
        for link in self._assemblers[side].feed(messages):
            links.append(link)
            facts += len(link.entry.decisions) if isinstance(link.entry, Batch) else 0
            if facts >= _AT_ONCE:
                touched |= dict.fromkeys(self._put(side, links))
                links, facts = [], 0
                await asyncio.sleep(0)
        if links:
            touched |= dict.fromkeys(self._put(side, links))
        return list(touched)

    def _put(self, side: Side, links: Sequence[Link]) -> list[Key]:
        after = self._register.mark(side)
        return self._register.fold(side, after, links, Mark(links[-1].sequence, links[-1].digest))

    async def _pump(self, side: Side) -> None:
        async for messages in self.logs[side].read(self._register.mark(side).entry):
            await self._queues[side].put(messages)
            self._news.set()
