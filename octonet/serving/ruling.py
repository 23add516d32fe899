"""One replication rule in one process: carried out by whichever process was elected, told of by that one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from time import monotonic

import msgspec

from jetstream import subjects
from jetstream.lease import JetStreamLease
from octonet.admin.rule_rows import RuleSettings
from octonet.clock import now
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import OctonetError, Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.log import LogGap
from octonet.kernel.merge import Mode, Side
from octonet.kernel.rule import Counting, RuleStats
from octonet.project import Project
from octonet.serving.courier import AT_ONCE, Courier
from octonet.serving.mirroring import Mirroring
from octonet.serving.register import Key, Register
from octonet.serving.surroundings import Surroundings
from octonet.serving.tails import Tails

log = logging.getLogger("octonet.rules")

_LOOK = 0.25
"""Seconds between two looks at the lease and at how far the rule is behind."""
_MEASURE = 0.5
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
_PAGE = 2048
"""Rows that are looked at in one go."""


class Ruling:
    """`find` gives a project as it is served now; `tell` hears of what is to be shown: a kind of event and what it is
    about."""

    def __init__(
        self,
        around: Surroundings,
        rule: RuleSettings,
        find: Callable[[ProjectName], Project],
        load: Callable[[], float],
        tell: Callable[[str, dict[str, object]], None],
    ) -> None:
        self._around = around
        self.settings = rule
        self._find = find
        self._tell = tell
        name = subjects.carrying(rule.id)
        self._lease = JetStreamLease(around.client, name, around.process, around.owners, load)
        self.running = False
        """Whether this process is the one."""
        self.stats = RuleStats(rule.name)
        self.counting = Counting()
        self._wanted: dict[str, None] = {}
        self.done: dict[str, RuleStats] = {}
        """The runs that were asked for, by what they were asked for as."""
        self._news = asyncio.Event()
        self._measured = 0.0
        self._reached = dict.fromkeys(Side, 0)
        """How far each log is carried."""

    async def run(self, restore: Callable[[], Awaitable[RuleStats | None]]) -> None:
        """For ever. `restore` gives what was told of it last."""
        pause = _FIRST_PAUSE
        while True:
            await self._lease.acquire()
            self.running = True
            try:
                await self._restore(restore)
                await (self._mirror() if self.settings.mode is Mode.SNAPSHOT else self._follow())
            except _LeaseLost:
                log.info("rule %s is carried out by another process", self.settings.name)
                self.running = False
            except (OctonetError, LogGap) as problem:
                self._is("error", str(problem))
                pause = min(pause * 2, _LONGEST_PAUSE)
                await asyncio.sleep(pause)
            else:
                # The projects have changed: begin with them as they are now.
                pause = _FIRST_PAUSE

    def ask(self, run: str) -> None:
        """Look at everything once more; `done` tells when that is over."""
        if self.running:
            self._wanted[run] = None
            self._news.set()

    async def release(self) -> None:
        """After `run` was cancelled: leave it to others."""
        self.running = False
        await self._lease.release()

    async def _restore(self, restore: Callable[[], Awaitable[RuleStats | None]]) -> None:
        kept = await restore()
        if kept is not None and (kept.last_sync or "") > (self.stats.last_sync or ""):
            self.stats, self.counting = kept, Counting(kept)
        for side in Side:
            self._reached[side] = self.stats.position.get(self.settings.project(side), 0)
        name, process = self.settings.name, self._around.process
        self.stats = msgspec.structs.replace(self.stats, rule_name=name, runner=process, state="waiting", reason="")

    # -- changes as they come -----------------------------------------------------------------------------------

    async def _follow(self) -> None:
        rule = self.settings
        source, target = self._home(Side.SOURCE), self._home(Side.TARGET)
        names = rule.scope(source.schemas, target.schemas)
        scope = repr((names, rule.mode, rule.resolution, rule.source, rule.target))
        path = DataDirectory(self._around.settings.data_dir).register(rule.id)
        register = Register(path, rule.id, rule.clock, frozenset(names), scope)
        tails = Tails(self._around.client, rule, register, self._news)
        try:
            await tails.open()
            courier = Courier(rule, register, tails, self._find)
            for side, sequence in [(side, await tails.logs[side].last()) for side in Side]:
                await self._reach(tails, side, sequence)
            await self._everything(register, tails, courier, self.counting)
            self._is("running", "")
            schemas = (source.schemas.digest, target.schemas.digest)
            while schemas == tuple(self._home(side).schemas.digest for side in Side):
                await self._round(register, tails, courier)
        finally:
            await tails.close()
            register.close()

    async def _reach(self, tails: Tails, side: Side, sequence: int) -> None:
        """Take in what happened so far; what differs is looked for afterwards."""
        while tails.position(side) < sequence:
            await self._check_lease()
            await tails.reach(side, min(sequence, tails.position(side) + _PAGE), {})

    async def _round(self, register: Register, tails: Tails, courier: Courier) -> None:
        await self._wait()
        tails.check()
        await self._check_lease()
        touched: dict[Key, None] = {}
        await tails.take(touched, _PAGE)
        if touched or courier.waits:
            began = monotonic()
            await courier.settle(touched, self.counting)
            self._carried(began)
        if not courier.left:
            self._has_reached({side: tails.position(side) for side in Side})
        await self._measure(tails)
        await self._runs(register, tails, courier)

    async def _everything(self, register: Register, tails: Tails, courier: Courier, counting: Counting) -> None:
        """Bring all rows to the same state."""
        began = monotonic()
        so_far = {side: tails.position(side) for side in Side}
        async for keys in register.differing(AT_ONCE):
            await self._check_lease()
            await courier.settle(keys, counting)
            await self._measure(tails)
        self._has_reached(so_far)
        self._carried(began)

    async def _runs(self, register: Register, tails: Tails, courier: Courier) -> None:
        for run in list(self._wanted):
            began = self._begins(run)
            counting = Counting()
            for side in Side:
                await self._reach(tails, side, await tails.logs[side].last())
            await self._everything(register, tails, courier, counting)
            await self._measure(tails)
            self._ends(run, began, counting)

    async def _measure(self, tails: Tails) -> None:
        if monotonic() - self._measured < _MEASURE:
            return
        self._measured = monotonic()
        rule, positions, milliseconds = self.settings, 0, 0
        for side in rule.sides:
            try:
                lag = await tails.lag(side, self._reached[side])
            except Unavailable as problem:
                log.debug("how far rule %s is behind is not known: %s", rule.name, problem)
                return
            positions, milliseconds = positions + lag.positions, max(milliseconds, lag.milliseconds)
        self.stats = msgspec.structs.replace(self.stats, lag_positions=positions, lag=milliseconds)

    def _has_reached(self, positions: dict[Side, int]) -> None:
        self._reached = positions
        told = {str(self.settings.project(side)): entry for side, entry in positions.items()}
        self.stats = msgspec.structs.replace(self.stats, position=told)

    # -- when it is asked to ------------------------------------------------------------------------------------

    async def _mirror(self) -> None:
        self._is("running", "")
        while True:
            await self._check_lease()
            for run in list(self._wanted):
                began, counting = self._begins(run), Counting()
                source, target = self._home(Side.SOURCE), self._home(Side.TARGET)
                entry = await Mirroring(self.settings, source, target, run, counting).mirror()
                self.stats = msgspec.structs.replace(self.stats, position={str(source.name): entry})
                self._ends(run, began, counting)
            await self._wait()

    # -- what both do -------------------------------------------------------------------------------------------

    def _begins(self, run: str) -> float:
        self._tell("rule.sync.start", {"rule": self.settings.name, "run": run})
        return monotonic()

    def _ends(self, run: str, began: float, counting: Counting) -> None:
        del self._wanted[run]
        if counting is not self.counting:
            _add(self.counting, counting)
        self._carried(began, always=True)
        told = _counted(self.stats, counting)
        self.done = {**dict(list(self.done.items())[-20:]), run: told}
        self._tell("rule.sync.done", {"rule": self.settings.name, "run": run, "stats": msgspec.to_builtins(told)})

    def _carried(self, began: float, *, always: bool = False) -> None:
        before = (self.stats.records_synced, self.stats.errors)
        self.stats = _counted(self.stats, self.counting)
        if always or before != (self.stats.records_synced, self.stats.errors):
            duration = round((monotonic() - began) * 1000)
            self.stats = msgspec.structs.replace(self.stats, last_sync=iso(now()), duration=duration)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await self._news.wait()
        self._news.clear()

    def _home(self, side: Side) -> Project:
        return self._find(self.settings.project(side))

    async def _check_lease(self) -> None:
        if not self._lease.held() and not await self._lease.confirm():
            raise _LeaseLost

    def _is(self, state: str, reason: str) -> None:
        if (state, reason) != (self.stats.state, self.stats.reason):
            if reason:
                log.warning("rule %s waits: %s", self.settings.name, reason)
                self._tell("error", {"rule": self.settings.name, "message": reason})
            self.stats = msgspec.structs.replace(self.stats, state=state, reason=reason)


class _LeaseLost(Exception):
    """Another process may carry it out by now."""


def new_run() -> str:
    """A name for a run."""
    return secrets.token_hex(8)


def _counted(stats: RuleStats, counting: Counting) -> RuleStats:
    return msgspec.structs.replace(
        stats,
        records_synced=counting.carried,
        errors=counting.errors,
        details=counting.details,
        problems=tuple(counting.problems),
    )


def _add(to: Counting, more: Counting) -> None:
    for each in more.details:
        tally = to.of(each.collection)
        for name in ("created", "updated", "deleted", "skipped", "errors"):
            setattr(tally, name, getattr(tally, name) + getattr(each, name))
    to.problems = [*to.problems, *more.problems][-10:]
