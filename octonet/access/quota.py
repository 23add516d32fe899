"""Keys that may be used so often a day, through however many processes.

A process takes uses from the day's stock in portions, by a command that adds to one number in the system project; what
was taken beyond the limit is not there. So the limit is never passed, a restart does not renew it, and hardly any
request waits for a portion. What a process took and did not use it gives back when it stops; one that dies takes its
portion along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from octonet.access.allowance import Allowance
from octonet.access.principal import Principal
from octonet.kernel.errors import Exhausted, OctonetError
from octonet.kernel.instant import iso

_PORTION: Final = 50
"""The part of a day's limit that is taken at once."""
_DAY: Final = 86_400_000

Take: TypeAlias = Callable[[str, str, int], Awaitable[int]]
"""Adds to what was taken of a key's stock on a day (gives back, where negative); returns all that was taken by now.
Raises `OctonetError`."""


class TooOften(Exhausted):
    """The key was used as often today as it may be."""

    default_code = "DAILY_LIMIT_REACHED"

    def __init__(self, limit: int, seconds: int) -> None:
        super().__init__(f"this key may be used {limit} times a day; a new day begins in {seconds} s")
        self.retry_after = seconds


class Quota:
    """The stock of this process. `now` tells milliseconds since 1970; a day is UTC's."""

    def __init__(self, take: Take, now: Callable[[], int]) -> None:
        self._take = take
        self._now = now
        self._day = ""
        self._until = 0
        self._left: dict[str, int] = {}
        self._known: dict[str, int] = {}
        """All that was taken of a key's stock, as of this process's last portion."""
        self._taking: dict[str, asyncio.Lock] = {}

    def spend(self, principal: Principal) -> bool:
        """Use it once, if that is possible without taking a new portion."""
        if self._now() >= self._until:
            self._turn()
        left = self._left.get(principal.key, 0)
        if left < 1:
            return False
        self._left[principal.key] = left - 1
        return True

    async def take(self, principal: Principal) -> None:
        """Use it once, out of a new portion. Raises `TooOften`, `Unavailable`."""
        async with self._taking.setdefault(principal.key, asyncio.Lock()):
            if self.spend(principal):
                return
            day, limit = self._day, principal.daily
            portion = max(limit // _PORTION, 1)
            taken = await self._take(principal.key, day, portion)
            granted = portion - max(taken - limit, 0)
            if day == self._day:
                self._left[principal.key] = max(granted, 0)
                self._known[principal.key] = taken
            if granted < 1:
                # What is not there was not taken.
                await self._take(principal.key, day, -portion)
                raise TooOften(limit, (self._until - self._now()) // 1000 + 1)
            if not self.spend(principal):
                raise TooOften(limit, 1)

    def allowance(self, principal: Principal) -> Allowance:
        """What is left of the day's limit, as far as this process knows."""
        now = self._now()
        if now >= self._until:
            self._turn()
        limit, key = principal.daily, principal.key
        left = max(limit - self._known.get(key, 0), 0) + self._left.get(key, 0)
        return Allowance("day", limit, _DAY // 1000, min(left, limit), (self._until - now) // 1000 + 1)

    async def close(self) -> None:
        """Give back what was not used."""
        left, self._left = self._left, {}
        for key, count in left.items():
            if count > 0:
                try:
                    await self._take(key, self._day, -count)
                except OctonetError:
                    return

    def _turn(self) -> None:
        now = self._now()
        self._day, self._until = iso(now)[:10], (now // _DAY + 1) * _DAY
        self._left.clear()
        self._known.clear()
