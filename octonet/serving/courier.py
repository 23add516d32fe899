"""Carries rows between two projects until both have the state of the greater stamp."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Final, NamedTuple

from commands.engine.replicate import ANY_VERSION
from octonet.admin.rule_rows import RuleSettings
from octonet.kernel.errors import OctonetError, OutcomeUnknown, Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import Outcome, Verdict
from octonet.kernel.merge import Side
from octonet.kernel.rule import Counting
from octonet.project import Project
from octonet.serving.carriage import Carriage, Carried, opened
from octonet.serving.register import Key, Known, Register
from octonet.serving.tails import Tails

log = logging.getLogger("octonet.rules")

AT_ONCE: Final = 256
"""Rows that are on their way together."""
_PATIENCE: Final = 30.0
_ROUNDS: Final = 12
"""Looks at rows that others write to at the same time, before they are left to the next fact of theirs."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
"""Seconds after which a row is sent again that was refused: what it refers to may come behind it."""
_MOST_REFUSED: Final = 1000
"""Rows that are sent again by themselves; others when all are looked at."""
_MISMATCH: Final = "VERSION_MISMATCH"


class _Sent(NamedTuple):
    key: Key
    side: Side
    """Where it goes."""
    loser: Known
    gone: bool


class Courier:
    """`find` gives a project as it is served now."""

    def __init__(
        self, rule: RuleSettings, register: Register, tails: Tails, find: Callable[[ProjectName], Project]
    ) -> None:
        self._rule = rule
        self._register = register
        self._tails = tails
        self._find = find
        self._sides = frozenset(rule.sides)
        self._winner = rule.clock.winner
        self._failing: dict[Key, tuple[float, float]] = {}
        """Rows that were refused: when they are sent again, and after how long the next time."""
        self.left: dict[Key, None] = {}
        """Rows that are written to all the time, for the next look."""

    async def settle(self, keys: Iterable[Key], counting: Counting) -> None:
        """Bring these rows to the same state on both sides, and those that were refused a while ago. Raises
        `Unavailable` when something is away: then it is not known how far this came, and the logs tell."""
        pending: dict[Key, None] = dict.fromkeys((*self.left, *self._due(), *keys))
        tried = set(pending)
        refused: dict[Key, str] = {}
        for _ in range(_ROUNDS):
            again: dict[Key, None] = {}
            refused = {}
            rows = list(pending)
            for start in range(0, len(rows), AT_ONCE):
                await self._send(rows[start : start + AT_ONCE], again, refused, counting)
            # What was refused for what had not come yet is sent again, as long as that helps.
            helped = len(refused) < len(rows)
            pending = again | (dict.fromkeys(refused) if helped else {})
            if not pending:
                break
        self.left = {key: None for key in pending if key not in refused}
        self._put_off(tried, refused, counting)

    @property
    def waits(self) -> bool:
        """Whether there is anything to look at though nothing was touched."""
        return bool(self.left or self._due())

    def _due(self) -> list[Key]:
        return [key for key, (at, _) in self._failing.items() if at <= monotonic()]

    def _put_off(self, tried: set[Key], refused: dict[Key, str], counting: Counting) -> None:
        for key in tried - refused.keys():
            self._failing.pop(key, None)
        for key, sentence in refused.items():
            before = self._failing.get(key)
            if before is None:
                counting.refused(key[0], f"{key[0]} {key[1]}: {sentence}")
                log.info("rule %s cannot carry %s %s: %s", self._rule.name, *key, sentence)
            pause = _FIRST_PAUSE if before is None else min(before[1] * 2, _LONGEST_PAUSE)
            if before is not None or len(self._failing) < _MOST_REFUSED:
                self._failing[key] = (monotonic() + pause, pause)

    async def _send(
        self, keys: Sequence[Key], again: dict[Key, None], refused: dict[Key, str], counting: Counting
    ) -> None:
        sent: list[_Sent] = []
        waiting: list[asyncio.Task[Outcome]] = []
        homes = {side: self._find(self._rule.project(side)) for side in Side}
        for key in keys:
            found = self._look(key, homes, counting)
            if found is not None:
                sent.append(found[0])
                waiting.append(asyncio.create_task(_outcome(homes[found[0].side], found[1])))
        if not sent:
            return
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        reached = dict.fromkeys(Side, 0)
        for one, answer in zip(sent, answers, strict=True):
            if isinstance(answer, Outcome):
                reached[one.side] = max(reached[one.side], answer.position.entry)
                self._count(one, answer, again, refused, counting)
            elif isinstance(answer, Unavailable) or not isinstance(answer, OctonetError):
                raise answer
            else:
                refused[one.key] = answer.message
        for side, entry in reached.items():
            await self._tails.reach(side, entry, again)
        for key in [key for key in again if self._is_settled(key)]:
            del again[key]

    def _count(
        self, one: _Sent, outcome: Outcome, again: dict[Key, None], refused: dict[Key, str], counting: Counting
    ) -> None:
        tally = counting.of(one.key[0])
        if outcome.verdict is Verdict.REJECTED:
            assert outcome.rejection is not None
            if outcome.rejection.code == _MISMATCH:
                again[one.key] = None
            else:
                refused[one.key] = outcome.rejection.message
        elif outcome.verdict is Verdict.UNCHANGED:
            tally.skipped += 1
        elif one.gone:
            tally.deleted += 1
        elif one.loser.version:
            tally.updated += 1
        else:
            tally.created += 1

    def _is_settled(self, key: Key) -> bool:
        return self._register.find(Side.SOURCE, key).stamp == self._register.find(Side.TARGET, key).stamp

    def _look(self, key: Key, homes: dict[Side, Project], counting: Counting) -> tuple[_Sent, Carriage] | None:
        """What is to be sent for a row, if anything."""
        known = {side: self._register.find(side, key) for side in Side}
        if known[Side.SOURCE].stamp == known[Side.TARGET].stamp:
            return None
        winner = Side.SOURCE if known[Side.SOURCE].stamp > known[Side.TARGET].stamp else Side.TARGET
        side = winner.other
        theirs, ours = known[winner], known[side]
        if winner not in self._sides or homes[side].name in theirs.chain:
            counting.of(key[0]).skipped += 1
            return None
        if theirs.data is None and ours.data is None:
            # What is gone is not there either.
            self._register.note(side, key, ours._replace(stamp=theirs.stamp, at=theirs.at))
            return None
        entity, id = key
        row = None if theirs.data is None else opened(homes[winner], entity, id, theirs.data)
        base = ANY_VERSION if winner is self._winner else ours.version
        chain = (*theirs.chain, homes[winner].name)
        carried = Carried(entity, id, row, base, theirs.at, chain, theirs.stamp)
        # A second look is another one only once more is known of the other side.
        attempt = str(self._tails.position(side))
        return _Sent(key, side, ours, row is None), Carriage(self._rule.id, homes[side], carried, attempt)


async def _outcome(home: Project, carriage: Carriage) -> Outcome:
    """Raises `OctonetError`."""
    try:
        return await home.intake.submit(carriage, _PATIENCE)
    except TimeoutError:
        raise OutcomeUnknown(f"what became of a row in project {home.name} is not known yet") from None
