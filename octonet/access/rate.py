"""Keys that may be used so often a second, through however many processes.

There is one number for each key and calendar second, at the broker, which adds to it what a process takes and tells
what was taken by all: so the limit holds whichever process is asked, whoever starts or dies meanwhile. To divide the
limit among the processes would need them to agree on how many they are, and would leave a client that keeps to one
connection its share only. A process takes a portion at a time, for this second alone; what it does not use, it lets go.

Never more uses than the limit are granted in a calendar second, by the clocks of the processes: where those differ, so
do their seconds. The numbers are in the broker's memory, and outlive every process of ours. Without the broker nothing
is granted beyond what was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from octonet.access.allowance import Allowance
from octonet.access.principal import Principal
from octonet.kernel.errors import Exhausted

_PORTION: Final = 20
"""The part of a second's limit that is taken at once."""
_ATTEMPTS: Final = 3
"""Portions that may come too late for their second."""

Add: TypeAlias = Callable[[str, int, int], Awaitable[int]]
"""Adds to what was taken of a key in a second (since 1970); returns all that was taken by now. Raises
`Unavailable`."""


class TooFast(Exhausted):
    """The key was used as often this second as it may be."""

    default_code = "RATE_LIMIT"
    retry_after = 1

    def __init__(self, limit: int) -> None:
        super().__init__(f"this key may be used {limit} times a second")


class _Stock:
    """What this process holds of one key."""

    __slots__ = ("left", "second", "taken", "taking", "waiting")

    def __init__(self) -> None:
        self.second = 0
        self.left = 0
        self.taken = 0
        """By all processes, as far as is known."""
        self.waiting = 0
        self.taking = asyncio.Lock()


class Rate:
    """The stocks of this process. `now` tells milliseconds since 1970."""

    def __init__(self, add: Add, now: Callable[[], int]) -> None:
        self._add = add
        self._now = now
        self._stocks: dict[str, _Stock] = {}

    async def use(self, principal: Principal) -> None:
        """Use it once. Raises `TooFast`, `Unavailable`."""
        stock = self._stocks.get(principal.key)
        if stock is None:
            stock = self._stocks[principal.key] = _Stock()
        if self._spend(stock):
            return
        stock.waiting += 1
        try:
            async with stock.taking:
                await self._take(stock, principal)
        finally:
            stock.waiting -= 1

    def allowance(self, principal: Principal) -> Allowance:
        """What is left of this second's limit, as far as this process knows."""
        limit, left = principal.per_second, principal.per_second
        stock = self._stocks.get(principal.key)
        if stock is not None and stock.second == self._now() // 1000:
            left = max(limit - stock.taken, 0) + stock.left
        return Allowance("second", limit, 1, min(left, limit), 1)

    def _spend(self, stock: _Stock) -> bool:
        if stock.left < 1 or stock.second != self._now() // 1000:
            return False
        stock.left -= 1
        return True

    async def _take(self, stock: _Stock, principal: Principal) -> None:
        limit = principal.per_second
        for _ in range(_ATTEMPTS):
            if self._spend(stock):
                return
            second = self._now() // 1000
            if stock.second == second and stock.taken >= limit:
                raise TooFast(limit)
            # Whoever waits now is served at once.
            portion = min(max(limit // _PORTION, stock.waiting), limit)
            taken = await self._add(principal.key, second, portion)
            stock.second, stock.taken = second, taken
            stock.left = max(portion - max(taken - limit, 0), 0)
        if not self._spend(stock):
            raise TooFast(limit)
