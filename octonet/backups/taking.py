"""Taking a backup: the logs as they are, up to a place that is fixed in the beginning, while everybody goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from jetstream.log import JetStreamLog
from octonet.backups.manifest import Backed, Manifest, Proof, damaged
from octonet.kernel.chain import Assembler, Link, digest, start_of
from octonet.kernel.errors import Conflict
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import Batch, LogGap, Recorded, SchemaChanged
from octonet.segments import Segment, SegmentWriter

_RAW: Final = 32 * 1024 * 1024
"""Bytes of messages in a segment, about."""


class Pace:
    """Lets through so many bytes a second; 0: as they come."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = 0.0

    async def wait(self, size: int) -> None:
        """Before `size` more bytes are looked at; others get their turn in any case."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        if self._rate:
            self._due = max(self._due, loop.time()) + size / self._rate
            pause = self._due - loop.time()
        await asyncio.sleep(max(0.0, pause))


class _Seen:
    """What a log tells of itself while it is read."""

    def __init__(self, before: Backed) -> None:
        self.frame = before.frame
        self.schema = before.schema
        self.largest = before.largest

    def note(self, message: Recorded, links: Sequence[Link]) -> None:
        self.largest = max(self.largest, len(message.body))
        for link in links:
            if isinstance(link.entry, Batch):
                self.frame = link.entry.frame
            elif isinstance(link.entry, SchemaChanged):
                self.schema = link.entry.digest


class LogTaker:
    """Adds one project's log to the backup in `folder`. `tell` hears how many messages were read."""

    def __init__(self, folder: Path, log: JetStreamLog, pace: Pace, tell: Callable[[int], object]) -> None:
        self._folder = folder
        self._log = log
        self._pace = pace
        self._tell = tell

    async def take(self, project: ProjectName, before: Backed | None, last: int, proof: Proof | None) -> Backed:
        """What is new since `before`, up to message `last`. Raises `Conflict`: code HISTORY_DAMAGED naming the place,
        or BACKUP_OF_ANOTHER_LOG."""
        known = before or Backed(project, 0, "", 0, "", 0, ())
        if last < known.last:
            raise _another(
                self._folder, project, f"it holds {known.last} entries, the log of this installation {last} only"
            )
        seen = _Seen(known)
        try:
            segments = [segment async for segment in self._new(known, last, seen)]
        except LogGap as gap:
            raise Conflict(
                f"the log of project {project} is damaged, and was not backed up: {self._log.name}: {gap}. "
                "`octonet audit verify` looks at all of it; restore an earlier backup where nothing else heals it",
                code="HISTORY_DAMAGED",
            ) from gap
        return Backed(
            project,
            last,
            segments[-1].digest if segments else known.digest,
            seen.frame,
            seen.schema,
            seen.largest,
            (*known.segments, *segments),
            proof or known.proof,
        )

    async def _new(self, known: Backed, last: int, seen: _Seen) -> AsyncIterator[Segment]:
        writer: SegmentWriter | None = None
        try:
            async for message in self._messages(known, last, seen):
                if writer is None:
                    writer = self._writer(known.project, message.sequence)
                writer.add(message)
                if writer.raw >= _RAW:
                    done, writer = writer.close(self._folder), None
                    yield done
            if writer is not None:
                done, writer = writer.close(self._folder), None
                yield done
        finally:
            if writer is not None:
                writer.abandon()

    async def _messages(self, known: Backed, last: int, seen: _Seen) -> AsyncIterator[Recorded]:
        """Those behind what is known, checked; it is looked at whether they go on from there."""
        # From the first part of the entry that the last time may have ended in.
        start = await start_of(self._log, known.last) - 1
        if last == 0:
            return
        assembler = Assembler(start)
        async for messages in self._log.read(start, last):
            await self._pace.wait(sum(len(message.body) for message in messages))
            for message in messages:
                links = list(assembler.feed([message]))
                if message.sequence == known.last and digest(message.body).hex() != known.digest:
                    raise _another(self._folder, known.project, f"its entry {known.last} is not the one of this log")
                if message.sequence > known.last:
                    seen.note(message, links)
                    yield message
            self._tell(len(messages))

    def _writer(self, project: str, first: int) -> SegmentWriter:
        directory = self._folder / "logs" / project
        directory.mkdir(parents=True, exist_ok=True)
        return SegmentWriter(directory / f"{first:016d}.segment", first)


def check_files(folder: Path, backed: Sequence[Backed]) -> None:
    """Whether the files of an earlier run are there, as far as that can be seen at once. Raises `Invalid`, code
    BACKUP_DAMAGED."""
    for project in backed:
        for segment in project.segments:
            path = folder / segment.file
            if not path.exists() or path.stat().st_size != segment.size:
                raise damaged(path, "is missing or cut short")


def clear(folder: Path, manifest: Manifest) -> None:
    """Remove what belongs to no backup any more: what a run left that was broken off, and projects that were erased."""
    known = {folder / segment.file for project in manifest.projects for segment in project.segments}
    known |= {folder / one.file for one in manifest.keys}
    for path in (*folder.glob("logs/*/[0-9]*.segment*"), *folder.glob("keys/*.key")):
        if path not in known:
            path.unlink()


def with_project(backed: Sequence[Backed], one: Backed) -> tuple[Backed, ...]:
    """The same, with this one in its place."""
    others = [other for other in backed if other.project != one.project]
    return tuple(sorted((*others, one), key=lambda found: found.project))


def _another(folder: Path, project: str, reason: str) -> Conflict:
    return Conflict(
        f"the backup in {folder} is of another history of project {project}: {reason}. Name an empty directory",
        code="BACKUP_OF_ANOTHER_LOG",
    )
