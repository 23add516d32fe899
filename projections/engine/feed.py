"""The feed: the log's facts, one message each, on `mostajs.<Entity>.<fact>`. A projection like any other, and exact:
the last message says how far it got, and compare-and-set lets only one relay at a time go on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from time import time_ns

from octonet.kernel.batches import batches
from octonet.kernel.chain import Assembler, Link, start_of
from octonet.kernel.errors import Unavailable
from octonet.kernel.event import Event
from octonet.kernel.log import (
    AppendDoubtful,
    Batch,
    Decision,
    FeedMessage,
    FeedStream,
    Stream,
    WrongSequence,
)
from octonet.kernel.position import Position
from octonet.kernel.trace import Trace, record_entries

log = logging.getLogger("octonet.feed")

_LARGEST_BATCH = 1000
_LARGEST_BYTES = 4 * 1024 * 1024
_LINGER_PER_FACT = 0.001
_LEAST_LINGER = 0.03
_LONGEST_LINGER = 0.15
_PAUSE = 0.5


class Feed:
    """Relays while its task lives. `spell` makes the message of one fact; it belongs to whoever speaks NATS."""

    def __init__(
        self,
        log_stream: Stream,
        feed: FeedStream,
        spell: Callable[[Position, Decision, Event], FeedMessage],
        owned: asyncio.Event,
        project: str = "",
        trace: Trace | None = None,
    ) -> None:
        self._log = log_stream
        self._feed = feed
        self._spell = spell
        self._owned = owned
        self._project = project
        self._trace = trace
        self.reached = 0
        """The last log sequence whose facts are on the feed."""

    @property
    def running(self) -> bool:
        """Whether this process's worker owns the lane."""
        return self._owned.is_set()

    async def run(self) -> None:
        """For ever, while this worker owns the lane. A relay of an earlier owner is fenced off by its own failure.
        Raises `LogGap` when history is missing, which no retry can mend."""
        while True:
            await self._owned.wait()
            try:
                await self._relay()
            except (WrongSequence, AppendDoubtful, Unavailable) as problem:
                log.info("the feed starts over: %s", problem)
                await asyncio.sleep(_PAUSE)

    async def _relay(self) -> None:
        sequence, position = await self._feed.position()
        # The entry that the last fact came from may hold more: read it again, from its first part.
        start = await start_of(self._log, position.entry) - 1
        assembler = Assembler(start)
        async for messages in self._log.read(start):
            until = messages[-1].sequence
            links: list[Link] = []
            waiting: list[FeedMessage] = []
            for link in assembler.feed(messages):
                links.append(link)
                waiting += self._messages(link, position)
                # Under load thousands of facts come at once: whoever writes is not kept waiting for all of them.
                await asyncio.sleep(0)
            if not self._owned.is_set():
                return
            if waiting:
                began = time_ns()
                sequence = await self._publish(waiting, sequence)
                self._record(links, began)
            self.reached = until
            if waiting:
                # Nothing waits when idle; under load many facts share one atomic batch, which costs the server
                # milliseconds.
                await asyncio.sleep(min(max(len(waiting) * _LINGER_PER_FACT, _LEAST_LINGER), _LONGEST_LINGER))

    def _messages(self, link: Link, after: Position) -> Iterator[FeedMessage]:
        if not isinstance(link.entry, Batch):
            return
        index = 0
        for decision in link.entry.decisions:
            for event in decision.events:
                position = Position(link.sequence, index)
                index += 1
                if position > after:
                    yield self._spell(position, decision, event)

    def _record(self, links: list[Link], began: int) -> None:
        if self._trace is not None:
            record_entries(self._trace, "octonet.feed", self._project, links, began, time_ns(), with_facts=True)

    async def _publish(self, messages: list[FeedMessage], sequence: int) -> int:
        for batch in batches(messages, _LARGEST_BATCH, _LARGEST_BYTES):
            sequence = await self._feed.publish(batch, sequence)
        return sequence
