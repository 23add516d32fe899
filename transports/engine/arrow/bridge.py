"""The way from Flight's threads to the event loop, on which everything else of a server runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Final, TypeVar

from octonet.kernel.errors import Unavailable
from transports.engine.arrow.problems import ClientGone

_LOOK: Final = 0.1
"""Seconds between two looks whether the client is still there."""

_PAGES: Final = 2
"""Pages of streams that are read at a time."""

T = TypeVar("T")


class Bridge:
    """Runs coroutines for other threads, which wait for them; the loop never waits for a thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ending = threading.Event()
        self.reading = asyncio.Semaphore(_PAGES)
        """Taken by whoever reads a page of a stream: many streams share the database and the interpreter with everybody
        else, who would wait behind all of them."""

    @property
    def ending(self) -> bool:
        """Whether the server is about to stop."""
        return self._ending.is_set()

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._ending.set()

    def start(self, work: Coroutine[object, object, T]) -> Future[T]:
        """Begin some work."""
        if self._ending.is_set():
            work.close()
            raise Unavailable("the server is shutting down")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait(self, future: Future[T], gone: Callable[[], bool]) -> T:
        """The result of work that was begun. Raises what it raises, `ClientGone` when the client went away first, and
        `Unavailable` when the server stops; then the work is cancelled."""
        while True:
            try:
                return future.result(_LOOK)
            except TimeoutError:
                if future.done():
                    raise
            if gone():
                future.cancel()
                raise ClientGone
            if self._ending.is_set():
                future.cancel()
                raise Unavailable("the server is shutting down")

    def run(self, work: Coroutine[object, object, T], gone: Callable[[], bool]) -> T:
        """Do some work. Raises as `wait` does."""
        return self.wait(self.start(work), gone)

    def soon(self, work: Callable[[], None]) -> None:
        """Do something on the loop that nobody waits for."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)
