"""What becomes of commands, told to whoever waits for them in this process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TypeAlias

from octonet.kernel.catch_up import CatchUp
from octonet.kernel.errors import OctonetError, OutcomeUnknown
from octonet.kernel.ids import CommandId
from octonet.kernel.log import LogGap, Outcome

log = logging.getLogger("octonet.lane")

_SWEEP = 0.5
"""Seconds between two looks for callers whose patience is over: a timer for each command would be felt."""
_MOST_ASKED = 256
_ASK_WITHIN = 5.0

Ask: TypeAlias = Callable[[Collection[CommandId]], Awaitable[Iterable[Outcome]]]
"""The outcomes of those of the commands that are decided, from wherever they are kept."""


class Waiting:
    """The commands of this process whose outcome is awaited.

    An owner that dies between its commit and its reply, or a connection that breaks under it, leaves callers without
    an answer that exists: what was waited for since the last look is asked for.
    """

    def __init__(self) -> None:
        self._futures: dict[CommandId, tuple[float, asyncio.Future[Outcome]]] = {}
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._seen: frozenset[CommandId] = frozenset()
        self._asking: asyncio.Task[None] | None = None
        self.ask: Ask | None = None
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

    def __len__(self) -> int:
        return len(self._futures)

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

    async def close(self) -> None:
        """Ask for nothing more."""
        self.ask = None
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _sweep(self) -> None:
        now = self._loop.time()
        for id in [id for id, (until, future) in self._futures.items() if until < now or future.cancelled()]:
            self.fail(id, TimeoutError())
        silent = [id for id in self._futures if id in self._seen][:_MOST_ASKED]
        self._seen = frozenset(self._futures)
        if silent and self.ask is not None and (self._asking is None or self._asking.done()):
            self._asking = self._loop.create_task(self._ask_for(self.ask, silent))
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if self._futures else None

    async def _ask_for(self, ask: Ask, commands: Collection[CommandId]) -> None:
        try:
            async with asyncio.timeout(_ASK_WITHIN):
                self.tell(await ask(commands))
        except (OctonetError, LogGap, TimeoutError) as problem:
            log.debug("outcomes are asked for again later: %s", problem or type(problem).__name__)


async def told_again(history: CatchUp, decided: Mapping[CommandId, int]) -> list[Outcome]:
    """The outcomes of commands out of the log entries that decided them."""
    return [
        outcome
        for entry in sorted(set(decided.values()))
        for outcome in await history.outcomes(entry)
        if outcome.command_id in decided
    ]


_NOBODY: tuple[float, asyncio.Future[Outcome] | None] = (0.0, None)
