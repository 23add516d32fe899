"""`/api/replicas/rules`: listing, adding, running and removing replication rules."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from octonet.access.permissions import OPERATIONS
from octonet.access.principal import Visitor
from octonet.admin.authority import Authority, LetIn
from octonet.admin.http import answer, body, nowhere, only, steps
from octonet.admin.rule_rows import RuleSettings
from octonet.admin.rules import Rules
from octonet.kernel.errors import Denied
from octonet.kernel.ids import ProjectName
from octonet.kernel.merge import Mode, Resolution
from octonet.kernel.operation import Family
from octonet.kernel.rule import RuleStats
from octonet.transport import HttpDoor, Incoming, Reply

_PERMISSION: Final = "project:update"


class _Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    source: str
    target: str
    mode: Mode
    collections: tuple[str, ...] = ()
    conflict_resolution: Resolution = Resolution.TIMESTAMP
    enabled: bool = True


class RulesDoor:
    """`let_in` is the gate's. Rules are for those who may change both projects, with a key that administers."""

    def __init__(self, rules: Rules, let_in: LetIn, authority: Authority) -> None:
        self._rules = rules
        self._let_in = let_in
        self._authority = authority

    def mount(self) -> Mapping[str, HttpDoor]:
        """Path prefix → door."""
        return {"/api/replicas/rules": self.serve}

    async def serve(self, incoming: Incoming) -> Reply:
        """Everything below the prefix."""
        by = await self._let_in(incoming)
        match steps(incoming):
            case [""]:
                only(incoming, "GET", "POST")
                if incoming.method == "POST":
                    return await self._add(incoming, by)
                return answer({"rules": await self._listed(by)})
            case [name]:
                only(incoming, "DELETE")
                await self._check(by, name)
                await self._rules.remove(by, name)
                return answer({"ok": True, "rules": await self._listed(by)})
            case [name, "sync"]:
                only(incoming, "POST")
                await self._check(by, name)
                stats = await self._rules.sync(by, name)
                if stats is None:
                    return answer({"ok": True, "running": True, "stats": None}, HTTPStatus.ACCEPTED)
                return answer({"ok": True, "stats": stats})
            case [name, "stats"]:
                only(incoming, "GET")
                await self._check(by, name)
                return answer({"stats": await self._rules.stats(by, name)})
            case _:
                raise nowhere(incoming)

    async def _add(self, incoming: Incoming, by: Visitor) -> Reply:
        wish = body(incoming, _Wish)
        for project in (wish.source, wish.target):
            await self._authority.check(by, _PERMISSION, project)
        rule = RuleSettings(
            str(uuid.uuid4()),
            wish.name,
            ProjectName(wish.source),
            ProjectName(wish.target),
            wish.mode,
            wish.conflict_resolution,
            wish.collections,
            wish.enabled,
        )
        await self._rules.add(by, rule)
        return answer({"ok": True, "rules": await self._listed(by)}, HTTPStatus.CREATED)

    async def _check(self, by: Visitor, name: str) -> None:
        rule = await self._rules.find(by, name)
        for project in (rule.source, rule.target):
            await self._authority.check(by, _PERMISSION, project)

    async def _listed(self, by: Visitor) -> list[dict[str, object]]:
        if not (await self._authority.rights(by)).scopes.grants(OPERATIONS, Family.ADMIN):
            raise Denied("this takes a key that administers")
        rules = await self._rules.specified(by)
        projects = {name for rule in rules for name in (rule.source, rule.target)}
        known = await self._authority.among(by, _PERMISSION, projects)
        shown_to = [rule for rule in rules if {rule.source, rule.target} <= known]
        stats = await self._rules.all_stats(shown_to)
        return [shown(rule, stats[rule.id]) for rule in shown_to]


def shown(rule: RuleSettings, stats: RuleStats) -> dict[str, object]:
    """A rule as the contract names it, and how it does."""
    told: dict[str, object] = {
        "name": rule.name,
        "source": rule.source,
        "target": rule.target,
        "mode": rule.mode.value,
        "collections": list(rule.collections),
        "conflictResolution": rule.resolution.value,
        "enabled": rule.enabled,
        "state": stats.state if rule.enabled else "disabled",
        "lag": stats.lag,
        "lagPositions": stats.lag_positions,
        "position": stats.position,
        "runner": stats.runner or None,
    }
    return {**told, "error": stats.reason} if stats.reason else told
