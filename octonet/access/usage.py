"""How often each key was used, when last, and from where: counted in memory, and written together every few seconds by
commands in the system project. Never a write per request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import msgspec

from octonet.access.principal import Principal
from octonet.kernel.errors import OctonetError
from octonet.kernel.instant import iso

log = logging.getLogger("octonet.access")

ENTITY: Final = "ApiKeyUsage"
_EVERY: Final = 5.0


class Use(msgspec.Struct):
    """What one key did, as far as it is not written, and where the last time from."""

    count: int = 0
    address: str = ""


Write: TypeAlias = Callable[[str, str, Use], Awaitable[None]]
"""Adds to what is stored of a key, which was used last at a time, ISO-8601. Raises `OctonetError`."""


class Usage:
    """The uses of all keys in this process. `now` tells milliseconds since 1970."""

    def __init__(self, write: Write, now: Callable[[], int]) -> None:
        self._write = write
        self._now = now
        self._used: list[Principal] = []
        """Those with uses that are not written."""
        self._pending: dict[str, Use] = {}

    def count(self, principal: Principal, address: str) -> None:
        """One more use. Counted where the key is at hand already: this happens on every request."""
        if not principal.uses:
            self._used.append(principal)
        principal.uses += 1
        principal.address = address

    async def run(self) -> None:
        """Write what was counted, for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted. What cannot be written now is kept for the next time."""
        self._gather()
        # To the second, or nearly: a look at the clock for each use would be felt.
        at = iso(self._now())
        for key in list(self._pending):
            use = self._pending.pop(key)
            try:
                await self._write(key, at, use)
            except OctonetError as problem:
                log.debug("the uses of a key are written later: %s", problem)
                self._add(key, use.count, use.address)

    def _gather(self) -> None:
        used, self._used = self._used, []
        for principal in used:
            self._add(principal.key, principal.uses, principal.address)
            principal.uses = 0

    def _add(self, key: str, count: int, address: str) -> None:
        # A key that was verified anew meanwhile has two principals.
        use = self._pending.setdefault(key, Use())
        use.count += count
        use.address = address
