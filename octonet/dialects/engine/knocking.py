"""How often a server that is away is tried: by all together with growing pauses, at most a second."""

from __future__ import annotations

import asyncio
from typing import Final

from octonet.kernel.errors import StorageUnavailable

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


class Knocking:
    """Remembers the last refusal, and tells it again until the pause is over."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._shut_until = 0.0
        self._reason = ""

    def check(self) -> None:
        """Raises `StorageUnavailable` while it is too early to try again."""
        if asyncio.get_running_loop().time() < self._shut_until:
            raise StorageUnavailable(self._reason)

    def refused(self, reason: str) -> StorageUnavailable:
        """Nobody was let in: the error to raise."""
        self._pause = min(max(_FIRST_PAUSE, self._pause * 2), _LONGEST_PAUSE)
        self._shut_until = asyncio.get_running_loop().time() + self._pause
        self._reason = reason
        return StorageUnavailable(reason)

    def opened(self) -> None:
        """Somebody was let in."""
        self._pause = self._shut_until = 0.0
