"""All replication rules in this process, as the rows of the system project say: carried out here, or elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from jetstream.gathering import Gathering
from octonet.admin.rule_rows import RuleSettings
from octonet.admin.rule_stats import RuleStatsStore
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import OctonetError
from octonet.kernel.figures import Family, Labels, counter, gauge, labels
from octonet.kernel.ids import ProjectName
from octonet.kernel.rule import RuleStats
from octonet.project import Projects
from octonet.serving import register
from octonet.serving.ruling import Ruling, new_run
from octonet.serving.surroundings import Surroundings

log = logging.getLogger("octonet.rules")

_KEEP: Final = 5.0
"""Seconds between two times that is written down what rules did."""
_LET_OTHERS: Final = 0.3


class _Told(msgspec.Struct, frozen=True):
    """What one process says of a rule that it carries out."""

    rule: str
    stats: RuleStats
    done: dict[str, RuleStats]


_told = msgspec.json.Decoder(list[_Told])
_asked = msgspec.json.Decoder(tuple[str, str])
_encode = msgspec.json.Encoder().encode


class Rules:
    """Implements `octonet.admin.rules.Runners`. `tell` hears of what happens."""

    def __init__(self, around: Surroundings, served: Projects, tell: Callable[[str, dict[str, object]], None]) -> None:
        self._around = around
        self._served = served
        self._tell = tell
        self._states = Gathering(around.client, "rules")
        self._runs = Gathering(around.client, "runs")
        self._there: dict[str, tuple[Ruling, asyncio.Task[None]]] = {}
        self._kept: dict[str, RuleStats] = {}
        self._store: RuleStatsStore | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, store: RuleStatsStore) -> None:
        """Answer whoever asks for them."""
        self._store = store
        await self._states.answer(lambda _: _encode(self._own()))
        await self._runs.answer(self._ask)
        if self._around.worker is not None:
            self._keeping = asyncio.create_task(self._keep(), name="what rules did")

    def follow(self, wanted: Sequence[RuleSettings], projects: Collection[ProjectName]) -> None:
        """These are the rules from now on; `projects` are those that are served here."""
        if self._around.worker is None:
            return
        there = {one.id: one for one in wanted if one.enabled and {one.source, one.target} <= set(projects)}
        for id, (ruling, task) in list(self._there.items()):
            if there.get(id) != ruling.settings:
                del self._there[id]
                self._end(ruling, task, forgotten=all(one.id != id for one in wanted))
        for id, settings in there.items():
            if id not in self._there:
                ruling = Ruling(self._around, settings, self._served.get, self._load, self._tell)
                task = asyncio.create_task(ruling.run(partial(self._restored, id)), name=f"rule {settings.name}")
                task.add_done_callback(partial(self._ended, ruling))
                self._there[id] = (ruling, task)

    async def told(self) -> Mapping[str, RuleStats]:
        """See the port."""
        return {each.rule: each.stats for each in await self._everywhere()}

    async def done(self, rule: str, run: str) -> RuleStats | None:
        """See the port."""
        for each in await self._everywhere():
            if each.rule == rule and run in each.done:
                return each.done[run]
        return None

    async def ask(self, rule: str, run: str) -> None:
        """See the port."""
        await self._runs.tell(_encode((rule, run)))

    def new_run(self) -> str:
        """See the port."""
        return new_run()

    def families(self) -> list[Family]:
        """Figures of those that this process carries out."""
        running: dict[Labels, float] = {}
        positions: dict[Labels, float] = {}
        seconds: dict[Labels, float] = {}
        carried: dict[Labels, float] = {}
        errors: dict[Labels, float] = {}
        for ruling, _ in self._there.values():
            if ruling.running:
                key, stats = labels(rule=ruling.settings.name), ruling.stats
                running[key] = float(stats.state == "running")
                positions[key], seconds[key] = stats.lag_positions, stats.lag / 1000
                carried[key], errors[key] = stats.records_synced, stats.errors
        return [
            gauge("octonet_rule_running", "1 while a replication rule is carried out.", running),
            gauge("octonet_rule_lag_positions", "Log entries that a replication rule has not carried.", positions),
            gauge("octonet_rule_lag_seconds", "Age of the oldest log entry that a rule has not carried.", seconds),
            counter("octonet_rule_rows_total", "Rows that a replication rule changed.", carried),
            counter("octonet_rule_errors_total", "Rows that were refused where a rule carried them.", errors),
        ]

    async def close(self) -> None:
        """Carry out none."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        for ruling, task in self._there.values():
            self._end(ruling, task, forgotten=False)
        self._there.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _everywhere(self) -> list[_Told]:
        answers = [each for body in await self._states.ask() for each in _told.decode(body)]
        return answers or self._own()

    def _own(self) -> list[_Told]:
        there = [ruling for ruling, _ in self._there.values() if ruling.running]
        return [_Told(ruling.settings.id, ruling.stats, ruling.done) for ruling in there]

    def _ask(self, question: bytes) -> bytes:
        rule, run = _asked.decode(question)
        found = self._there.get(rule)
        if found is not None and run not in found[0].done:
            found[0].ask(run)
        return b""

    def _load(self) -> float:
        return _LET_OTHERS * sum(ruling.running for ruling, _ in self._there.values())

    async def _restored(self, rule: str) -> RuleStats | None:
        assert self._store is not None
        return await self._store.read(rule)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_KEEP)
            for ruling, _ in list(self._there.values()):
                await self._keep_one(ruling)

    async def _keep_one(self, ruling: Ruling) -> None:
        assert self._store is not None
        id, stats = ruling.settings.id, ruling.stats
        before = self._kept.get(id)
        if not ruling.running or stats.last_sync is None or (before and before.last_sync == stats.last_sync):
            return
        try:
            await self._store.write(id, stats)
        except OctonetError as problem:
            log.info("what rule %s did is written down later: %s", ruling.settings.name, problem)
        else:
            self._kept[id] = stats

    def _end(self, ruling: Ruling, task: asyncio.Task[None], *, forgotten: bool) -> None:
        ending = asyncio.create_task(self._ending(ruling, task, forgotten), name=f"end of rule {ruling.settings.name}")
        self._closing.add(ending)
        ending.add_done_callback(self._closing.discard)

    async def _ending(self, ruling: Ruling, task: asyncio.Task[None], forgotten: bool) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not forgotten:
            await self._keep_one(ruling)
        await ruling.release()
        if forgotten:
            register.forget(DataDirectory(self._around.settings.data_dir).register(ruling.settings.id))

    def _ended(self, ruling: Ruling, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (problem := task.exception()) is not None:
            # A fault of ours. Projects and other rules go on, and another process may try.
            log.critical("the %s stands still: %s", task.get_name(), problem, exc_info=problem)
            releasing = asyncio.create_task(ruling.release(), name=f"release of {task.get_name()}")
            self._closing.add(releasing)
            releasing.add_done_callback(self._closing.discard)
