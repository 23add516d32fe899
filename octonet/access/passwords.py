"""Passwords: hashed and verified with bcrypt, which takes a quarter of a second, in one thread with a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from octonet.access import keys
from octonet.kernel.errors import Exhausted, validation

T = TypeVar("T")

_SHORTEST: Final = 8
_LONGEST: Final = 72
"""Bytes; bcrypt does not look at what comes behind."""
_MOST_WAITING: Final = 32
NOBODYS: Final = "$2b$12$abcdefghijklmnopqrstuu5iDbwymaXmD/j1OeVYCxCop7jZvU78."
"""A hash that stands for whoever does not exist, so that finding that out takes as long as a wrong password."""


class Passwords:
    """Does the slow work beside the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "passwords")
        self._waiting = 0

    async def verify(self, password: str, stored: str) -> bool:
        """Whether this is the password. `stored` empty: nobody's, which nothing is. Raises `Exhausted`."""
        known = keys.is_slow(stored)
        # An empty pepper: a bcrypt hash has none.
        found = await self._slowly(lambda: keys.verify(password, stored if known else NOBODYS, b""))
        return found and known

    async def hash(self, password: str) -> str:
        """What is stored of a password. Raises `Exhausted`."""
        return await self._slowly(lambda: keys.slow_hash(password))

    def close(self) -> None:
        """Verify nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _slowly(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Exhausted("too many passwords are being verified at the moment", code="RATE_LIMIT")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def check_new(password: str, path: str) -> None:
    """Whether it may be somebody's password. Raises `ValidationError` with `path`."""
    size = len(password.encode("utf-8", "surrogatepass"))
    if len(password) < _SHORTEST or size > _LONGEST or "\0" in password:
        raise validation(path, f"must have {_SHORTEST} characters and more, {_LONGEST} bytes at most, and no NUL")
