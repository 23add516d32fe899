"""The log as the subscribers of this process see it.

While this worker owns the lane, what it appended just now is handed on from memory, and only once its rows are
committed: a client never hears of a row that it cannot read yet, and nothing is fetched back that was just sent. What
lies further back, and everything while another worker owns the lane, comes from the log itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice

from octonet.kernel.log import Recorded, Stream

_KEPT = 256
"""Messages kept for readers who are a little behind."""


class RecentLog:
    """Implements `kernel.log.Stream` over the log."""

    def __init__(self, log: Stream) -> None:
        self._log = log
        self._kept: deque[Recorded] = deque(maxlen=_KEPT)
        self._appended: list[Recorded] = []
        self._shown = 0
        self._owned = False
        self._moved = asyncio.Event()

    def own(self, entry: int) -> None:
        """This worker owns the lane from now on; everything up to this sequence is committed."""
        self._kept.clear()
        self._appended.clear()
        self._shown, self._owned = entry, True
        self._stir()

    def disown(self) -> None:
        """Another worker may own the lane."""
        self._owned = False
        self._stir()

    def append(self, message: Recorded) -> None:
        """This worker appended a message; its rows are not committed yet."""
        self._appended.append(message)

    def show(self) -> None:
        """The rows of everything appended are committed."""
        if self._appended:
            self._kept.extend(self._appended)
            self._shown = self._appended[-1].sequence
            self._appended.clear()
            self._stir()

    async def last(self) -> int:
        """The last sequence stored."""
        return await self._log.last()

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        """See the port."""
        position = after
        while until is None or position < until:
            if self._owned and position >= self._shown:
                await self._moved.wait()
                continue
            messages = self._recent(position, until) if self._owned else []
            if messages:
                position = messages[-1].sequence
                yield messages
                continue
            end = self._shown if self._owned else until
            async for older in self._log.read(position, end if until is None or end is None else min(end, until)):
                position = older[-1].sequence
                yield older
                if self._owned and end is None:
                    break

    def _recent(self, position: int, until: int | None) -> list[Recorded]:
        """What memory holds behind this position; nothing when that is too far back."""
        if not self._kept or self._kept[0].sequence > position + 1:
            return []
        found = list(islice(self._kept, position + 1 - self._kept[0].sequence, None))
        return found if until is None else [message for message in found if message.sequence <= until]

    def _stir(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
