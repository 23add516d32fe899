"""Reading a backup, and checking it: every byte, the chain of every log, before anything is made out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from octonet.backups.manifest import Backed, damaged
from octonet.kernel.chain import Assembler, digest
from octonet.kernel.log import Batch, LogGap, Recorded, SchemaChanged
from octonet.segments import Segment, SegmentDamaged, read


def messages(folder: Path, backed: Backed, after: int = 0) -> Iterator[list[Recorded]]:
    """The messages of one project's log behind `after`, in batches. Raises `Invalid`, code BACKUP_DAMAGED."""
    for segment in backed.segments:
        if segment.last > after:
            for batch in _of(folder, segment):
                rest = [message for message in batch if message.sequence > after] if segment.first <= after else batch
                if rest:
                    yield rest


def digest_at(folder: Path, backed: Backed, sequence: int) -> bytes:
    """The digest of one message; empty before the first. Raises `Invalid`, code BACKUP_DAMAGED."""
    for segment in backed.segments:
        if segment.first <= sequence <= segment.last:
            for batch in _of(folder, segment):
                if batch[-1].sequence >= sequence:
                    return digest(batch[sequence - batch[0].sequence].body)
    return b""


async def check(folder: Path, backed: Backed, tell: Callable[[int], object]) -> None:
    """Read all of one project's log; `tell` hears how many messages were read. Raises `Invalid`, code
    BACKUP_DAMAGED."""
    assembler = Assembler()
    frame, schema, path = 0, "", folder
    for segment in backed.segments:
        path = folder / segment.file
        for batch in _of(folder, segment):
            try:
                for link in assembler.feed(batch):
                    if isinstance(link.entry, Batch):
                        frame = link.entry.frame
                    elif isinstance(link.entry, SchemaChanged):
                        schema = link.entry.digest
            except LogGap as gap:
                raise damaged(path, f"is no part of this history: {gap}") from None
            tell(len(batch))
            # A server that was started for this is to hear of us now and then.
            await asyncio.sleep(0)
    told = (assembler.sequence, assembler.digest.hex(), frame, schema)
    if told != (backed.last, backed.digest, backed.frame, backed.schema):
        raise damaged(path, f"does not end where the manifest says, with entry {backed.last} of {backed.project}")


def _of(folder: Path, segment: Segment) -> Iterator[list[Recorded]]:
    try:
        yield from read(folder, segment)
    except SegmentDamaged as problem:
        raise damaged(folder / segment.file, str(problem)) from None
