"""What becomes of commands, told to whoever waits for them in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from octonet.kernel.ids import CommandId
from octonet.kernel.log import Outcome


class Waiting:
    """The commands of this process whose outcome is awaited."""

    def __init__(self) -> None:
        self._futures: dict[CommandId, asyncio.Future[Outcome]] = {}
        self._loop = asyncio.get_running_loop()

    def expect(self, id: CommandId) -> asyncio.Future[Outcome]:
        """A future for the command's outcome."""
        future = self._loop.create_future()
        self._futures[id] = future
        return future

    def forget(self, id: CommandId) -> None:
        """Nobody waits for it any more."""
        self._futures.pop(id, None)

    def fail(self, id: CommandId, problem: Exception) -> None:
        """It was not recorded."""
        future = self._futures.pop(id, None)
        if future is not None and not future.done():
            future.set_exception(problem)

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Wake whoever waits for these."""
        for outcome in outcomes:
            future = self._futures.pop(outcome.command_id, None)
            if future is not None and not future.done():
                future.set_result(outcome)

    def __len__(self) -> int:
        return len(self._futures)
