"""Whether a log is whole: every sequence there, every link of the hash chain unbroken, and all that was ever vouched
for still in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import msgspec

from octonet.kernel.chain import Assembler
from octonet.kernel.log import LogGap, Stream

_AT_ONCE = 256 * 1024
"""Bytes that are looked at before others get their turn."""


class Vouched(msgspec.Struct, frozen=True):
    """The log was once seen up to this message, with this digest. `by` says who saw it."""

    entry: int
    digest: bytes
    by: str


async def walk(log: Stream, until: int, vouched: Iterable[Vouched] = ()) -> AsyncIterator[int]:
    """Read the log from its first message up to sequence `until`; yields, after every few milliseconds of work, how far
    it is whole. Raises `LogGap` at the first message that is missing, unreadable, does not continue the chain, or is
    another than the one that was vouched for; and when the log ends before that."""
    expected = {one.entry: one for one in vouched if one.entry}
    assembler = Assembler()
    if until:
        async for messages in log.read(0, until):
            size = 0
            for message in messages:
                for _ in assembler.feed([message]):
                    pass
                one = expected.get(message.sequence)
                if one is not None and one.digest != assembler.digest:
                    raise LogGap(f"log message {message.sequence} is another than the one that {one.by} saw")
                size += len(message.body)
                if size >= _AT_ONCE:
                    size = 0
                    yield assembler.sequence
            yield assembler.sequence
    for one in sorted(expected.values(), key=lambda one: one.entry):
        if one.entry > until:
            raise LogGap(f"the log ends at message {until}, but {one.by} saw message {one.entry}: its end is missing")
