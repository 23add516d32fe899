"""A fold that never ends: every entry goes into the database as it comes, those that come together in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import time_ns
from typing import TypeAlias

from octonet.kernel.chain import Assembler, Link, stands
from octonet.kernel.errors import Conflict, StorageUnavailable
from octonet.kernel.log import SchemaChanged, Stream
from octonet.kernel.storage import Checkpoint
from projections.engine.fold import Fold, size

Record: TypeAlias = Callable[[Sequence[Link], int, int], object]

_FACTS_PER_COMMIT = 1024
"""Few enough that others on the same loop do not notice."""
_ANSWERS_WITHIN = 5.0
_PER_FACT = 0.005
"""Seconds more for each row."""


class Following:
    """`told` hears how far the database is, whenever it has come further; `record` of the entries that were folded, and
    when that began and ended, in nanoseconds since 1970."""

    def __init__(
        self, log: Stream, fold: Fold, told: Callable[[Checkpoint], None], record: Record = lambda *_: None
    ) -> None:
        self._log = log
        self._record = record
        self._fold = fold
        self._told = told

    async def run(self) -> None:
        """For ever. Raises `Conflict` with code OTHER_LOG where the database is no fold of this log, or its tables
        cannot follow it; `StorageUnavailable` when it does not answer; `LogGap`."""
        mark = await self._fold.open()
        last = await self._log.last()
        if mark.entry > last:
            raise _not_ours(f"has folded {mark.entry} log entries, and the log holds {last}")
        if not await stands(self._log, mark.entry, mark.digest):
            raise _not_ours(f"stands at log entry {mark.entry} of another history")
        self._told(mark)
        assembler = Assembler(mark.entry, mark.digest)
        async for messages in self._log.read(mark.entry):
            links: list[Link] = []
            facts = 0
            for link in assembler.feed(messages):
                links.append(link)
                facts += size(link)
                if facts >= _FACTS_PER_COMMIT or isinstance(link.entry, SchemaChanged):
                    mark = await self._apply(mark, links, facts)
                    links, facts = [], 0
            if links:
                mark = await self._apply(mark, links, facts)

    async def _apply(self, mark: Checkpoint, links: list[Link], facts: int) -> Checkpoint:
        # To change tables may take as long as they are large.
        began = time_ns()
        alters = isinstance(links[-1].entry, SchemaChanged)
        try:
            async with asyncio.timeout(None if alters else _ANSWERS_WITHIN + facts * _PER_FACT):
                mark = await self._fold.apply(mark, links)
        except TimeoutError:
            raise StorageUnavailable("the database does not answer") from None
        self._record(links, began, time_ns())
        self._told(mark)
        # Whoever else has something to do comes first.
        await asyncio.sleep(0)
        return mark


def _not_ours(what: str) -> Conflict:
    sentence = f"the database {what}: empty it, or name another one"
    return Conflict(sentence, code="OTHER_LOG")
