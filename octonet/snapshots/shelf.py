"""Where the snapshots of a project are kept, and which of them to begin with."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from octonet.kernel.chain import stands
from octonet.kernel.errors import Invalid
from octonet.kernel.log import Stream
from octonet.snapshots.format import Checked, Head, check, head_of
from octonet.snapshots.taking import Taken

log = logging.getLogger("octonet.snapshots")

_ENDING = ".snapshot"


class Found(msgspec.Struct, frozen=True):
    """A snapshot that is whole, and where it is."""

    path: Path
    checked: Checked


class Shelf:
    """The snapshots of one project: files in a directory of their own, for its owner's eyes only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def listed(self) -> list[Path]:
        """All of them, the newest first."""
        return sorted(self._directory.glob(f"*{_ENDING}"), reverse=True)

    def reached(self) -> int:
        """The log entry of the newest one; 0 where there is none."""
        newest = next((path.name.partition("-")[0] for path in self.listed()), "")
        return int(newest) if newest.isdecimal() else 0

    async def add(self, take: Callable[[BinaryIO], Awaitable[Taken]]) -> tuple[Path, Taken]:
        """Keep what `take` writes: whole and synced, or not at all. Raises what it raises, and `OSError`."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._directory / f".{os.getpid()}.new"
        try:
            with os.fdopen(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
                taken = await take(out)
                await asyncio.to_thread(_settle, out)
            path = self._directory / f"{taken.entry:016}-{taken.digest.hex()[:16]}{_ENDING}"
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        self._sync()
        return path, taken

    def keep(self, most: int) -> None:
        """Remove all but the newest ones, and what processes that were killed left half-written."""
        for path in self.listed()[max(most, 1) :]:
            path.unlink(missing_ok=True)
        for path in self._directory.glob(".*.new"):
            if not _lives(path):
                path.unlink(missing_ok=True)

    async def newest(self, stream: Stream, last: int) -> Found | None:
        """The newest that is whole and stands on the log, which ends at `last`; others are passed over, with a
        warning."""
        for path in self.listed():
            try:
                with path.open("rb") as file:
                    if not await _on_the_log(stream, head_of(file), last):
                        log.warning("%s is passed over: it does not stand on this log", path)
                        continue
                    return Found(path, check(file))
            except (Invalid, OSError) as problem:
                log.warning("%s is passed over: %s", path, problem)
        return None

    def of(self, digest: bytes) -> Found | None:
        """The one with this digest, if it is there and whole."""
        for path in self.listed():
            try:
                with path.open("rb") as file:
                    checked = check(file)
            except (Invalid, OSError) as problem:
                log.warning("%s is passed over: %s", path, problem)
            else:
                if checked.digest == digest:
                    return Found(path, checked)
        return None

    def _sync(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


async def _on_the_log(stream: Stream, head: Head, last: int) -> bool:
    mark = head.checkpoint
    return mark.entry <= last and await stands(stream, mark.entry, mark.digest)


def _settle(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _lives(path: Path) -> bool:
    """Whether the process that writes this file does."""
    try:
        os.kill(int(path.name.split(".")[1]), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
