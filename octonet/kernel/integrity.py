"""Whether a log is whole: every sequence there, every link of the hash chain unbroken."""

from __future__ import annotations

from collections.abc import AsyncIterator

from octonet.kernel.chain import Assembler
from octonet.kernel.log import Stream


async def walk(log: Stream, until: int) -> AsyncIterator[int]:
    """Read the log from its first message up to sequence `until`; yields, batch by batch, how far it is whole. Raises
    `LogGap` at the first message that is missing, unreadable or does not continue the chain."""
    assembler = Assembler()
    if until < 1:
        return
    async for messages in log.read(0, until):
        for _ in assembler.feed(messages):
            pass
        yield assembler.sequence
