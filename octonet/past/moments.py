"""The moments that are kept: few, together no larger than a bound, and not for long."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

from octonet.kernel.schema import Schemas
from octonet.past.moment import Moment
from octonet.past.rows import Told

log = logging.getLogger("octonet.past")

_MOST: Final = 16
_MOST_BYTES: Final = 2 << 30
_IDLE: Final = 60.0
"""Seconds after which a moment that nobody asks is dropped."""
_LOCK: Final = "lock"
_Key: TypeAlias = tuple[int, str, str]
"""Place, digest of the schemas, name of the entity."""


class Moments:
    """Those of one project in this process, below `directory`. `timeout`: seconds that a query may take."""

    def __init__(self, directory: Path, versions: Path, timeout: float) -> None:
        self._root = directory
        self._own: Path | None = None
        self._lock = -1
        self._versions = versions
        self._timeout = timeout
        self._kept: dict[_Key, Moment] = {}
        self._directories: dict[Moment, Path] = {}
        self._sweeper: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def at(self, place: int, schemas: Schemas, entity: str, told: Told) -> AsyncIterator[Moment]:
        """The entity's rows at this place, kept while they are used."""
        key = place, schemas.digest, entity
        moment = self._kept.get(key)
        if moment is None:
            directory = await asyncio.to_thread(self._make)
            moment = self._kept.get(key)
            if moment is None:
                moment = Moment(directory, self._versions, place, schemas, entity, told, self._timeout)
                self._kept[key] = moment
                self._directories[moment] = directory
        moment.users += 1
        try:
            yield moment
        finally:
            moment.users -= 1
            moment.used = asyncio.get_running_loop().time()
            if self._sweeper is None or self._sweeper.done():
                self._sweeper = asyncio.create_task(self._sweep(), name="moments of the past")

    async def close(self) -> None:
        """Drop all of them."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        for key in list(self._kept):
            await self._drop(key)
        if self._own is not None:
            await asyncio.to_thread(shutil.rmtree, self._own, True)
            os.close(self._lock)
            self._own = None

    async def _sweep(self) -> None:
        while self._kept:
            await self._bound()
            await asyncio.sleep(_IDLE / 10)

    async def _bound(self) -> None:
        """Drop what is idle, and, where there is too much, what was asked least lately."""
        now = asyncio.get_running_loop().time()
        sizes = await asyncio.to_thread(lambda: {key: moment.size() for key, moment in list(self._kept.items())})
        total, count = sum(sizes.values()), len(sizes)
        for key, moment in sorted(self._kept.items(), key=lambda item: item[1].used):
            if moment.users or key not in sizes:
                continue
            if now - moment.used > _IDLE or count > _MOST or total > _MOST_BYTES:
                total, count = total - sizes[key], count - 1
                await self._drop(key)

    async def _drop(self, key: _Key) -> None:
        moment = self._kept.pop(key)
        await moment.close()
        await asyncio.to_thread(shutil.rmtree, self._directories.pop(moment), True)

    def _make(self) -> Path:
        """A directory for a moment, in one of this process's own. What processes left that are no more is removed."""
        if self._own is None:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for left in self._root.glob("[!.]*"):
                _remove_if_left(left)
            name = f"{os.getpid()}-{secrets.token_hex(4)}"
            # Nobody looks into it before it is locked.
            hidden = self._root / f".{name}"
            hidden.mkdir(mode=0o700)
            self._lock = os.open(hidden / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._own = hidden.rename(self._root / name)
        made = self._own / secrets.token_hex(8)
        made.mkdir(mode=0o700)
        return made


def _remove_if_left(directory: Path) -> None:
    """A process holds the lock in its directory for as long as it lives."""
    try:
        handle = os.open(directory / _LOCK, os.O_RDWR)
    except OSError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
        log.info("moments of the past that another process left are removed")
    except OSError:
        return
    finally:
        os.close(handle)
