"""Where the queries of a project may be answered from besides its own database: its replicas, as this process knows
them. All of it is in memory: to choose one takes no round trip."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from octonet.kernel.ids import ProjectName
from octonet.kernel.replica import UNKNOWN, Condition, Lag, Report, Routing
from octonet.kernel.storage import Database

_HEARD_WITHIN: Final = 2.0
"""Seconds without a word from whoever follows a replica after which nothing is known of it."""
_PERIOD: Final = 0.6
"""Seconds between two words of a follower, and a little more: so old may what is known be in any case."""


class ReplicaSource:
    """A replica, as it is read from in this process. `tolerance`: milliseconds that what it tells may be old."""

    def __init__(self, id: str, name: str, tolerance: int) -> None:
        self.id = id
        self.name = name
        self.tolerance = tolerance
        self.database: Database | None = None
        """None until it is opened for the schema of today."""
        self.opened_for = ""
        """Digest of the schema that `database` reads by."""
        self.report: Report | None = None
        self.suspended = ""
        """Why it gets no reads, whatever is reported: it did not answer one."""
        self._heard = 0.0

    def hear(self, report: Report) -> None:
        """Believe the follower, the last word first: a replica may have lost what it had. One that has just begun, and
        could not look yet, says nothing of how far it is."""
        if report.entry == UNKNOWN and self.report is not None:
            report = msgspec.structs.replace(report, entry=self.report.entry, schema=self.report.schema)
        self.report = report
        self._heard = time.monotonic()

    def suspend(self, reason: str) -> None:
        """Ask it nothing until it answers again."""
        self.suspended = self.suspended or reason or "it does not answer"

    @property
    def entry(self) -> int:
        """The last log sequence that it is known to have folded; `UNKNOWN` where that is not."""
        return UNKNOWN if self.report is None else self.report.entry

    @property
    def lag(self) -> Lag:
        """As it was reported last."""
        return Lag() if self.report is None else self.report.lag

    def answers(self, schema: str) -> bool:
        """Whether it may be asked now, by a schema of this digest: it is near enough, and as far as anybody knows it
        is there."""
        report = self.report
        if report is None or self.suspended or report.condition is not Condition.CONNECTED:
            return False
        if self.database is None or not self.opened_for == report.schema == schema:
            return False
        silence = time.monotonic() - self._heard
        unknown = max(0.0, silence - _PERIOD) * 1000
        return silence < _HEARD_WITHIN and report.lag.milliseconds + unknown <= self.tolerance

    def is_heard(self) -> bool:
        """Whether somebody follows it."""
        return self.report is not None and time.monotonic() - self._heard < _HEARD_WITHIN


class Sources:
    """The replicas of one project."""

    def __init__(self) -> None:
        self.all: tuple[ReplicaSource, ...] = ()
        self._routing = Routing.ROUND_ROBIN
        self._turn = 0

    def set(self, replicas: Sequence[ReplicaSource], routing: Routing) -> None:
        """These are the replicas from now on."""
        self.all = tuple(replicas)
        self._routing = routing

    def choose(self, schema: str, entry: int = 0) -> ReplicaSource | None:
        """The one to ask next; None where only the project's own database is left. `entry`: it must be known to have
        come so far."""
        fit = [one for one in self.all if one.answers(schema) and one.entry >= entry]
        if len(fit) < 2:
            return fit[0] if fit else None
        if self._routing is Routing.RANDOM:
            return random.choice(fit)
        if self._routing is Routing.LEAST_LAG:
            return min(fit, key=lambda one: (one.lag.milliseconds, one.lag.positions))
        self._turn += 1
        return fit[self._turn % len(fit)]


NO_REPLICAS: Final = Sources()
"""Of a project that is always asked itself."""


class SourcesByProject:
    """Those of every project of this process, the same for as long as it runs."""

    def __init__(self) -> None:
        self._by_name: dict[ProjectName, Sources] = {}

    def of(self, project: ProjectName) -> Sources:
        """Those of one project."""
        return self._by_name.setdefault(project, Sources())

    def names(self) -> list[ProjectName]:
        """The projects that were asked for."""
        return list(self._by_name)
