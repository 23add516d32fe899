"""What happened to replicas and rules, as the monitor shows it: the last of it in memory, and all of it as it comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from jetstream.connection import Connection
from jetstream.gathering import Gathering
from octonet.admin.replica_rows import ReplicaSettings
from octonet.admin.rule_rows import RuleSettings
from octonet.clock import now
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.replica import Condition, Report
from octonet.projects_tree import ProjectSettings

_T = TypeVar("_T")

_KEPT: Final = 200
_BEHIND: Final = 1000
"""Events that wait for whoever reads slowly; older ones are left out."""
_BEAT: Final = 2.0


class Happening(msgspec.Struct, frozen=True):
    """One of them. `about` says nothing secret."""

    type: str
    at: str
    about: dict[str, object]


_decode = msgspec.json.Decoder(Happening).decode
_encode = msgspec.json.Encoder().encode


class Happenings:
    """Those since this process began."""

    def __init__(self, client: Connection) -> None:
        self._everywhere = Gathering(client, "happened")
        self._kept: deque[Happening] = deque(maxlen=_KEPT)
        self._watchers: list[tuple[deque[Happening], asyncio.Event]] = []
        self._replicas: dict[str, ReplicaSettings] | None = None
        self._rules: dict[str, RuleSettings] | None = None
        self._places: dict[ProjectName, tuple[str, str]] = {}
        self._conditions: dict[str, Condition] = {}
        self._telling: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Hear what other processes say."""
        await self._everywhere.answer(self._heard)

    @property
    def kept(self) -> list[Happening]:
        """The last ones, oldest first."""
        return list(self._kept)

    def spread(self, kind: str, about: dict[str, object]) -> None:
        """Something happened here that others cannot see by themselves."""
        task = asyncio.create_task(self._everywhere.tell(_encode(_happening(kind, about))))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def report(self, report: Report, name: str) -> None:
        """How a replica is, as its follower says; heard by every process."""
        if self._conditions.get(report.id) is not report.condition:
            self._conditions[report.id] = report.condition
            about: dict[str, object] = {"project": report.project, "replica": name, "status": report.condition.value}
            self._happened("replica.state", {**about, "reason": report.reason} if report.reason else about)

    def follow(
        self,
        replicas: Sequence[ReplicaSettings],
        rules: Sequence[RuleSettings],
        projects: Mapping[ProjectName, ProjectSettings],
    ) -> None:
        """These are there from now on: what is new, and what is gone, has happened."""
        there, ruling = {each.id: each for each in replicas}, {each.id: each for each in rules}
        for about in _new(there, self._replicas):
            self._happened("replica.added", _of_replica(about))
        for gone in _new(self._replicas or {}, there):
            project = projects.get(gone.project)
            taken = project is not None and (project.dialect, project.uri) == (gone.dialect, gone.uri)
            moved = project is not None and self._places.get(gone.project) != (project.dialect, project.uri)
            self._happened("replica.promoted" if taken and moved else "replica.removed", _of_replica(gone))
            self._conditions.pop(gone.id, None)
        for rule in _new(ruling, self._rules):
            self._happened("rule.added", {"rule": rule.name})
        for rule in _new(self._rules or {}, ruling):
            self._happened("rule.removed", {"rule": rule.name})
        self._replicas, self._rules = there, ruling
        self._places = {name: (project.dialect, project.uri) for name, project in projects.items()}

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[Happening | None]]:
        """Those from now on; None now and then while nothing happens."""
        watcher = (deque[Happening](maxlen=_BEHIND), asyncio.Event())
        self._watchers.append(watcher)
        try:
            yield _coming(*watcher)
        finally:
            self._watchers = [each for each in self._watchers if each is not watcher]

    def _heard(self, message: bytes) -> bytes:
        with contextlib.suppress(msgspec.DecodeError):  # another build may say it otherwise
            self._keep(_decode(message))
        return b""

    def _happened(self, kind: str, about: dict[str, object]) -> None:
        self._keep(_happening(kind, about))

    def _keep(self, happening: Happening) -> None:
        self._kept.append(happening)
        for waiting, event in self._watchers:
            waiting.append(happening)
            event.set()


def _happening(kind: str, about: dict[str, object]) -> Happening:
    return Happening(kind, iso(now()), about)


def _new(there: Mapping[str, _T], before: Mapping[str, _T] | None) -> Iterator[_T]:
    """At the first look nothing is new."""
    return (each for id, each in there.items() if before is not None and id not in before)


def _of_replica(replica: ReplicaSettings) -> dict[str, object]:
    return {"project": replica.project, "replica": replica.name, "dialect": replica.dialect}


async def _coming(waiting: deque[Happening], event: asyncio.Event) -> AsyncIterator[Happening | None]:
    while True:
        while waiting:
            yield waiting.popleft()
        event.clear()
        try:
            async with asyncio.timeout(_BEAT):
                await event.wait()
        except TimeoutError:
            yield None
