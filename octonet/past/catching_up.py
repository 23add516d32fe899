"""Brings the versions of a project up to its log: one process at a time, in pieces that each stand for themselves."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from octonet.kernel.chain import Assembler, digest
from octonet.kernel.errors import Unavailable
from octonet.kernel.log import LogGap, Recorded, Stream
from octonet.past.file import Damaged, Mark, VersionsFile

log = logging.getLogger("octonet.past")

_PIECE: Final = 1 << 20
"""Bytes of log that one transaction adds."""
_ATTEMPTS: Final = 20
_LOOK: Final = 0.05
"""Seconds between two looks at how far another process has come."""


class CatchingUp:
    """The work on one file. `reached` and `wanted` are log entries: how far it is known to be, and is to be."""

    def __init__(self, log: Stream, path: Path) -> None:
        self._log = log
        self._path = path
        self._file: VersionsFile | None = None
        self._reading: VersionsFile | None = None
        self._task: asyncio.Task[None] | None = None
        self._seen = 0
        """The file that was there when it was opened."""
        self.reached = 0
        self.wanted = 0

    async def reach(self, entry: int, patience: float) -> None:
        """Wait until everything up to an entry is in the file. Raises `Unavailable`: with code HISTORY_NOT_READY when
        that takes longer than `patience`, in seconds, and then it goes on."""
        self.wanted = max(self.wanted, entry)
        deadline = asyncio.get_running_loop().time() + patience
        while self.reached < entry or not self._is_ours():
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name=f"history of {self._path.stem}")
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            done, _ = await asyncio.wait({self._task}, timeout=left)
            if not done:
                raise self._not_ready()
            if not self._task.cancelled():
                self._task.result()

    @property
    def file(self) -> VersionsFile:
        """The file, for reading, as soon as anything was reached."""
        assert self._reading is not None
        return self._reading

    async def discard(self) -> None:
        """Throw the file away: it will be made anew by its next use."""
        await self._stop()
        self.wanted = 0
        await asyncio.to_thread(self._remove)

    async def close(self) -> None:
        """Stop where it is."""
        await self._stop()
        await asyncio.to_thread(self._forget)

    def _is_ours(self) -> bool:
        """Whether the file that was brought up to the log is the one that has its name."""
        return self._file is not None and self._inode() == self._file.inode

    def _inode(self) -> int:
        """Which file has the name; 0 when none has."""
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return 0

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        """Reach what is wanted. A file that is damaged, or stands on another log, is made anew, by whichever process
        finds that out: one that finds it gone under its hands looks at the new one."""
        made = 0
        for attempt in range(_ATTEMPTS):
            try:
                await self._attempt()
            except (Damaged, LogGap) as problem:
                if made > 1 or attempt == _ATTEMPTS - 1:
                    raise Unavailable(f"the history cannot be read: {problem}", code="HISTORY_DAMAGED") from problem
                if await asyncio.to_thread(self._remove_seen):
                    log.warning("the history of project %s is made anew: %s", self._path.stem, problem)
                    made += 1
                else:
                    await asyncio.sleep(_LOOK)
            else:
                return

    async def _attempt(self) -> None:
        if not self._is_ours():
            await self._open()
        file = self._file
        assert file is not None
        while True:
            mark = await asyncio.to_thread(file.mark)
            self.reached = max(self.reached, mark.entry)
            if self.reached >= self.wanted:
                return
            with _Turn(self._path) as ours:
                if ours:
                    await self._follow(file, await asyncio.to_thread(file.mark))
            if not ours:
                await asyncio.sleep(_LOOK)

    async def _open(self) -> None:
        await asyncio.to_thread(self._forget)
        self._seen = self._inode()
        self._file = await asyncio.to_thread(VersionsFile, self._path)
        self._reading = await asyncio.to_thread(VersionsFile, self._path)
        mark = await asyncio.to_thread(self._file.mark)
        if not mark.entry:
            return
        last = await self._log.last()
        if mark.entry > last:
            raise Damaged(f"it holds {mark.entry} entries, the log {last}")
        async for messages in self._log.read(mark.entry - 1, mark.entry):
            if digest(messages[-1].body) != mark.digest:
                raise Damaged("it was made from another log")

    async def _follow(self, file: VersionsFile, mark: Mark) -> None:
        assembler = Assembler(mark.entry, mark.digest)
        held: list[Recorded] = []
        size = 0
        until = self.wanted
        async for messages in self._log.read(mark.entry, until):
            held += messages
            size += sum(len(message.body) for message in messages)
            if size >= _PIECE:
                mark = await asyncio.to_thread(_add, file, assembler, mark, held)
                self.reached, held, size = mark.entry, [], 0
        mark = await asyncio.to_thread(_add, file, assembler, mark, held)
        # Parts without their last part hold no facts.
        self.reached = max(mark.entry, until)

    def _not_ready(self) -> Unavailable:
        told = f"{self.reached} of {self.wanted} log entries" if self.reached else "the log"
        problem = Unavailable(f"the history of this project is still being read: {told}", code="HISTORY_NOT_READY")
        problem.retry_after = 2
        return problem

    def _forget(self) -> None:
        for file in (self._file, self._reading):
            if file is not None:
                file.close()
        self._file, self._reading, self.reached = None, None, 0

    def _remove_seen(self) -> bool:
        """Throw away the file that was found damaged, if it is still the one that has the name, and nobody is adding to
        it. Whether it was."""
        seen = self._seen if self._file is None else self._file.inode
        self._forget()
        with _Turn(self._path) as ours:
            removes = ours and self._inode() == seen != 0
            if removes:
                remove(self._path)
        return removes

    def _remove(self) -> None:
        self._forget()
        remove(self._path)


class _Turn:
    """One process at a time; a process that dies gives its turn back."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_suffix(".lock")
        self._handle = -1

    def __enter__(self) -> bool:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def __exit__(self, *problem: object) -> None:
        os.close(self._handle)


def _add(file: VersionsFile, assembler: Assembler, mark: Mark, held: Sequence[Recorded]) -> Mark:
    links = list(assembler.feed(held))
    return file.add(mark, links) if links else mark


def forget(path: Path) -> None:
    """Leave nothing of a project's history."""
    remove(path)
    path.with_suffix(".lock").unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Throw a file away, and what SQLite keeps beside it."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)
