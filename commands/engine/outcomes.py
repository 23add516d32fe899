"""What becomes of commands, told to whoever waits for them in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from octonet.kernel.errors import OctonetError, OutcomeUnknown
from octonet.kernel.ids import CommandId
from octonet.kernel.log import Outcome

_SWEEP = 0.5
"""Seconds between two looks for callers whose patience is over: a timer for each command would be felt."""


class Waiting:
    """The commands of this process whose outcome is awaited."""

    def __init__(self) -> None:
        self._futures: dict[CommandId, tuple[float, asyncio.Future[Outcome]]] = {}
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self.trouble: OctonetError | None = None
        """Why no command can be decided at the moment: new ones are refused with it instead of being recorded."""

    def stand_still(self, problem: OctonetError) -> None:
        """Nothing is decided until further notice. Those who wait are told now; what they sent may be recorded."""
        if self.trouble is None:
            told = OutcomeUnknown(f"the outcome of this command is not known yet: {problem.message}")
            for id in list(self._futures):
                self.fail(id, told)
        self.trouble = problem

    def expect(self, id: CommandId, future: asyncio.Future[Outcome], until: float) -> None:
        """Put the command's outcome into this future; `TimeoutError` when the loop's clock passes `until`."""
        self._futures[id] = (until, future)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)

    def __contains__(self, id: CommandId) -> bool:
        return id in self._futures

    def fail(self, id: CommandId, problem: Exception) -> None:
        """It was not recorded."""
        _, future = self._futures.pop(id, _NOBODY)
        if future is not None and not future.done():
            future.set_exception(problem)

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Wake whoever waits for these."""
        for outcome in outcomes:
            _, future = self._futures.pop(outcome.command_id, _NOBODY)
            if future is not None and not future.done():
                future.set_result(outcome)

    def _sweep(self) -> None:
        now = self._loop.time()
        for id in [id for id, (until, future) in self._futures.items() if until < now or future.cancelled()]:
            self.fail(id, TimeoutError())
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if self._futures else None


_NOBODY: tuple[float, asyncio.Future[Outcome] | None] = (0.0, None)
