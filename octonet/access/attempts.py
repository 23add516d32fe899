"""How often something may be tried in a while, such as a password: counted before the try, so that many at the same
time are no way around it. Each process counts for itself."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

from octonet.kernel.errors import Exhausted

_MOST_NAMES: Final = 20_000
_NETWORK: Final = 64
"""Bits of an IPv6 address that stand for one household."""


class TooManyAttempts(Exhausted):
    """This was tried too often."""

    default_code = "RATE_LIMIT"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts; try again in {seconds} s")
        self.retry_after = seconds


class Attempts:
    """At most `most` in `window` milliseconds, by name. `now` tells milliseconds since 1970."""

    def __init__(self, most: int, window: int, now: Callable[[], int]) -> None:
        self._most = most
        self._window = window
        self._now = now
        self._seen: OrderedDict[str, deque[int]] = OrderedDict()

    def take(self, name: str) -> None:
        """Count one. Raises `TooManyAttempts`, which tells when the next one will be heard."""
        now = self._now()
        times = self._seen.setdefault(name, deque())
        self._seen.move_to_end(name)
        while times and times[0] <= now - self._window:
            times.popleft()
        if len(times) >= self._most:
            raise TooManyAttempts(max(-(-(times[0] + self._window - now) // 1000), 1))
        times.append(now)
        if len(self._seen) > _MOST_NAMES:
            self._seen.popitem(last=False)

    def give_back(self, name: str) -> None:
        """It succeeded: the last one does not count."""
        times = self._seen.get(name)
        if times:
            times.pop()


def household(address: str) -> str:
    """What shares an address: of IPv6, the network that one customer is given, of which they may use every address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> (128 - _NETWORK) << (128 - _NETWORK))}/{_NETWORK}"
