"""How often each key was used, when last, and from where: counted in memory, and written together every few seconds by
commands in the system project. Never a write per request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import msgspec

from octonet.kernel.errors import OctonetError
from octonet.kernel.instant import iso

log = logging.getLogger("octonet.access")

ENTITY: Final = "ApiKeyUsage"
_EVERY: Final = 5.0


class Use(msgspec.Struct):
    """What one key did, as far as it is not written. `at`: the last time, milliseconds since 1970."""

    count: int = 0
    at: int = 0
    address: str = ""


Write: TypeAlias = Callable[[str, str, Use], Awaitable[None]]
"""Adds to what is stored of a key and a day. Raises `OctonetError`."""


class Usage:
    """The uses of all keys in this process. `now` tells milliseconds since 1970."""

    def __init__(self, write: Write, now: Callable[[], int]) -> None:
        self._write = write
        self._now = now
        self._pending: dict[str, Use] = {}

    def count(self, key: str, address: str) -> None:
        """One more use."""
        use = self._pending.get(key)
        if use is None:
            use = self._pending[key] = Use()
        use.count += 1
        use.at, use.address = self._now(), address

    async def run(self) -> None:
        """Write what was counted, for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted. What cannot be written now is kept for the next time."""
        pending, self._pending = self._pending, {}
        for key, use in pending.items():
            try:
                await self._write(key, iso(use.at)[:10], use)
            except OctonetError as problem:
                log.debug("the uses of a key are written later: %s", problem)
                later = self._pending.setdefault(key, Use(0, use.at, use.address))
                later.count += use.count
