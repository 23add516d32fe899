"""The log as subscribers may see it: an entry shows only when its rows are committed where this process reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from octonet.kernel.log import Recorded, Stream


class SettledStream:
    """Implements `kernel.log.Stream` over another. Without it a client could hear of a row before it can read it.

    `settled` waits until this log sequence is committed, and returns at once where this process cannot know.
    """

    def __init__(self, stream: Stream, settled: Callable[[int], Awaitable[None]]) -> None:
        self._stream = stream
        self._settled = settled

    async def last(self) -> int:
        """The last sequence stored."""
        return await self._stream.last()

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        """The messages, each batch as soon as the last of it is committed."""
        async for messages in self._stream.read(after, until):
            await self._settled(messages[-1].sequence)
            yield messages
