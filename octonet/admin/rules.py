"""Replication rules at run time: rows of the system project that every process follows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from octonet.access.principal import Visitor
from octonet.admin import rule_rows
from octonet.admin.projects import Projects
from octonet.admin.rule_rows import ENTITY, RuleSettings
from octonet.admin.rule_stats import RuleStatsStore
from octonet.admin.system import SystemProject
from octonet.kernel.errors import Conflict, Fault, NotFound, Unavailable, validation
from octonet.kernel.ids import ProjectName, is_sandbox
from octonet.kernel.merge import Mode
from octonet.kernel.operation import Request
from octonet.kernel.rule import RuleStats
from octonet.kernel.rule_fit import misfits
from octonet.kernel.rule_loops import Way, loop, twin
from octonet.projects_tree import ProjectSettings

_MOST: Final = 64
"""Rules of an installation."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_RUN_WITHIN: Final = 60.0
_TAKEN_WITHIN: Final = 15.0
_LOOK: Final = 0.1
_SAID_AGAIN: Final = 20
"""Looks after which a run is asked for once more: whoever carried the rule out may have ended."""


class Runners(Protocol):
    """The processes that carry rules out."""

    async def told(self) -> Mapping[str, RuleStats]:
        """How the rules do that somebody carries out, by their ids."""
        ...

    async def ask(self, rule: str, run: str) -> None:
        """Let the rule look at everything once more; `run` is new."""
        ...

    async def done(self, rule: str, run: str) -> RuleStats | None:
        """What a run did that is over."""
        ...

    def new_run(self) -> str:
        """A name for a run."""
        ...


class Rules:
    """All of them."""

    def __init__(self, system: SystemProject, projects: Projects, stats: RuleStatsStore, runners: Runners) -> None:
        self._system = system
        self._projects = projects
        self._stats = stats
        self._runners = runners

    async def specified(self, by: Visitor) -> list[RuleSettings]:
        """What the rows say, by name."""
        found = map(rule_rows.read, await self._system.every(by, ENTITY))
        return sorted(found, key=lambda rule: rule.name)

    async def find(self, by: Visitor, name: str) -> RuleSettings:
        """One of them. Raises `NotFound`, code UNKNOWN_RULE."""
        for rule in await self.specified(by):
            if rule.name == name:
                return rule
        raise NotFound(f"there is no rule {name!r}", code="UNKNOWN_RULE")

    async def add(self, by: Visitor, rule: RuleSettings) -> None:
        """Begin with a rule. Raises `NotFound`, `ValidationError`, and `Conflict` where it is there already, would
        carry changes in a circle, or the rows of the one project do not fit the other."""
        if not _NAME.fullmatch(rule.name):
            raise validation("$.name", "has 1 to 63 letters, digits, dots, hyphens and underscores")
        if rule.source == rule.target:
            sentence = "$.target: is the source: a rule is between two projects"
            raise Conflict(sentence, code="RULE_LOOPS", faults=(Fault("$.target", "is the source"),))
        source, target = await self._home(by, rule.source), await self._home(by, rule.target)
        names = _scope(rule, source, target)
        there = await self.specified(by)
        if any(other.name == rule.name for other in there):
            raise Conflict(f"there is a rule {rule.name!r} already", code="RULE_EXISTS")
        if len(there) >= _MOST:
            raise Conflict(f"there are at most {_MOST} rules", code="TOO_MANY_RULES")
        await self._check_circle(by, rule, there)
        faults = misfits(source.schemas, target.schemas, names)
        if rule.mode is Mode.BIDIRECTIONAL:
            faults += misfits(target.schemas, source.schemas, names)
        if faults:
            told = "; ".join(f"{fault.path} {fault.message}" for fault in faults[:3])
            sentence = f"the rows of {rule.source} do not fit {rule.target}: {told}"
            raise Conflict(sentence, code="RULE_MISFIT", faults=tuple(faults))
        await self._system.create(by, ENTITY, rule_rows.write(rule))
        if rule.enabled:
            await self._settle(rule)

    async def remove(self, by: Visitor, name: str) -> None:
        """Carry it out no longer; what it carried stays. Raises `NotFound`."""
        rule = await self.find(by, name)
        await self._system.write(by, Request("delete", ENTITY, rule.id))
        await self._stats.forget(rule.id)

    async def forget(self, by: Visitor, project: str) -> None:
        """Remove those of a project that is no more."""
        for rule in await self.specified(by):
            if project in (rule.source, rule.target):
                await self.remove(by, rule.name)

    async def stats(self, by: Visitor, name: str) -> RuleStats:
        """How a rule does. Raises `NotFound`."""
        rule = await self.find(by, name)
        return (await self.all_stats([rule]))[rule.id]

    async def all_stats(self, rules: Sequence[RuleSettings]) -> Mapping[str, RuleStats]:
        """The same of several, by their ids: of those that nobody carries out, what was kept."""
        told = await self._runners.told()
        found: dict[str, RuleStats] = {}
        for rule in rules:
            found[rule.id] = told.get(rule.id) or await self._kept(rule)
        return found

    async def sync(self, by: Visitor, name: str) -> RuleStats | None:
        """Look at all rows once more, which a snapshot rule does only when it is asked; what that did, None while it
        is still at it after a minute. Raises `NotFound`, `Conflict`, `Unavailable`."""
        rule = await self.find(by, name)
        if not rule.enabled:
            sentence = f'rule {name!r} is not enabled: remove it, and add it with "enabled": true'
            raise Conflict(sentence, code="RULE_DISABLED")
        run, looks = self._runners.new_run(), 0
        loop_ = asyncio.get_running_loop()
        began = loop_.time()
        while loop_.time() - began < _RUN_WITHIN:
            if looks % _SAID_AGAIN == 0:
                await self._runners.ask(rule.id, run)
            looks += 1
            found = await self._runners.done(rule.id, run)
            if found is not None:
                return found
            if loop_.time() - began > _TAKEN_WITHIN:
                state = (await self._runners.told()).get(rule.id)
                if state is None or state.reason:
                    why = "is a worker running?" if state is None else state.reason
                    raise Unavailable(f"nobody carries out rule {name!r}: {why}", code="NOT_READY")
            await asyncio.sleep(_LOOK)
        return None

    async def _kept(self, rule: RuleSettings) -> RuleStats:
        kept = await self._stats.read(rule.id) or RuleStats(rule.name)
        return RuleStats(
            rule.name, kept.last_sync, kept.records_synced, kept.errors, kept.duration, kept.details,
            "waiting", position=kept.position, problems=kept.problems,
        )  # fmt: skip

    async def _home(self, by: Visitor, name: str) -> ProjectSettings:
        if is_sandbox(name):
            raise Conflict("a sandbox is in no rule: add a project for this", code="SANDBOX")
        return await self._projects.find(by, name)

    async def _check_circle(self, by: Visitor, rule: RuleSettings, there: Sequence[RuleSettings]) -> None:
        projects = {project.name: project for project in await self._projects.wanted(by)}
        ways = [way for other in there for way in _ways(other, projects)]
        new = _ways(rule, projects)
        same = twin(new, ways)
        if same is not None:
            sentence = f"rule {same!r} carries these changes already: remove it first, or name other collections"
            raise Conflict(sentence, code="RULE_OVERLAPS")
        circle = loop(new, ways)
        if circle is not None:
            told = " → ".join(circle)
            sentence = (
                f"a change would come back to where it was made ({told}): between two projects use one rule with mode "
                "bidirectional, or name other collections"
            )
            raise Conflict(sentence, code="RULE_LOOPS")

    async def _settle(self, rule: RuleSettings) -> None:
        """Wait a while for somebody to carry it out."""
        deadline = asyncio.get_running_loop().time() + _TAKEN_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            told = (await self._runners.told()).get(rule.id)
            if told is not None and told.state != "waiting":
                return
            await asyncio.sleep(_LOOK)
        raise Unavailable("the rule is added, and nobody carries it out yet: is a worker running?", code="NOT_READY")


def _scope(rule: RuleSettings, source: ProjectSettings, target: ProjectSettings) -> list[str]:
    for index, name in enumerate(rule.collections):
        for project in (source, target):
            if name not in project.schemas.entities:
                raise validation(f"$.collections[{index}]", f"project {project.name} has no entity {name!r}")
    names = rule.scope(source.schemas, target.schemas)
    if not names:
        raise validation("$.collections", f"{rule.source} and {rule.target} have no entity in common")
    return names


def _ways(rule: RuleSettings, projects: Mapping[ProjectName, ProjectSettings]) -> list[Way]:
    source, target = projects.get(rule.source), projects.get(rule.target)
    if source is None or target is None:
        return []
    entities = frozenset(rule.scope(source.schemas, target.schemas))
    return [Way(rule.name, rule.project(side), rule.project(side.other), entities) for side in rule.sides]
