"""Calls of drivers that block: each connection has a thread of its own, in which its calls run one after another. A
call that does not return is given up with its connection, and counted until it does."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final, Generic, TypeVar
from weakref import WeakSet

from octonet.kernel.errors import StorageUnavailable

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

MOST_HUNG: Final = 64
"""Calls that may hang at once in this process; then no connection is opened any more until one returns."""

_LAST_SECONDS: Final = 2.0

_live: WeakSet[OwnThread] = WeakSet()
_hung: set[OwnThread] = set()


def hung() -> int:
    """How many calls were given up, and have not returned yet."""
    return len(_hung)


class OwnThread:
    """A thread, started by its first call. It keeps no process from ending."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._given_up = False
        self._last: Callable[[], None] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Do some work that blocks. Who is cancelled meanwhile gives it up. Raises what the work raises, and
        `StorageUnavailable` when too many calls hang."""
        if self._thread.ident is None:
            if len(_hung) >= MOST_HUNG:
                raise StorageUnavailable(f"{len(_hung)} calls of databases hang: no more are made until one returns")
            self._thread.start()
            _live.add(self)
        call: _Call[T] = _Call(work)
        self._calls.put(call.run)
        try:
            return await call.answer
        except asyncio.CancelledError:
            self._give_up()
            raise

    def end(self, last: Callable[[], None] | None = None) -> None:
        """Let the thread end, when it has done what it was asked, and this at last, which raises nothing."""
        self._last = last or self._last
        self._calls.put(None)

    def leave(self, deadline: float) -> None:
        """End, and wait for it until then, by `time.monotonic`."""
        self.end()
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _give_up(self) -> None:
        if not self._given_up:
            self._given_up = True
            _hung.add(self)
            _log.debug("a call was given up; %d hang", len(_hung))
            self.end()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
        if self._last is not None:
            self._last()
        _hung.discard(self)


@atexit.register
def _leave() -> None:
    """A call that returned when the interpreter has gone already would tear the process down with a crash."""
    deadline = time.monotonic() + _LAST_SECONDS
    for thread in list(_live):
        thread.leave(deadline)


class _Call(Generic[T]):
    """Some work, and who waits for it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[T] = self._loop.create_future()

    def run(self) -> None:
        """Do it."""
        try:
            result = self._work()
        except BaseException as problem:
            # It belongs to who waits, whatever it is.
            self._tell(partial(self._fail, problem))
        else:
            self._tell(partial(self._succeed, result))

    def _succeed(self, result: T) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def _fail(self, problem: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(problem)

    def _tell(self, told: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(told)
        except RuntimeError as closed:
            _log.debug("nobody waits any more: %s", closed)
