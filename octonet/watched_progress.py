"""How far a long piece of work is, told to whoever asks for the figures of the installation while it lasts."""

from __future__ import annotations

import os
from typing import Protocol

from jetstream.connection import Connection
from jetstream.gathering import Gathering
from octonet.kernel.figures import Labels, gauge, labels
from octonet.kernel.ids import ProjectName
from octonet.serving.figures import Told, encode


class Progress(Protocol):
    """Hears how far each part of the work is."""

    def begin(self, what: str, unit: str, done: int, total: int) -> None:
        """A part begins, of which `done` of `total` is done."""
        ...

    def reach(self, done: int, total: int) -> None:
        """So much of it is done by now."""
        ...

    def add(self, more: int) -> None:
        """So much more of it."""
        ...


class WatchedProgress:
    """Implements `Progress`: passes on what it hears, and remembers it."""

    def __init__(self, inner: Progress, work: str, project: ProjectName) -> None:
        self._inner = inner
        self._work = work
        self._project = project
        self._part = self._unit = ""
        self._done = self._total = 0

    async def show(self, client: Connection) -> None:
        """Answer whoever asks, for as long as the connection lasts. Raises NATS's own errors."""
        await Gathering(client, "figures").answer(lambda _: encode(self._told()))

    def begin(self, what: str, unit: str, done: int, total: int) -> None:
        """See the port."""
        self._part, self._unit, self._done, self._total = what, unit, done, total
        self._inner.begin(what, unit, done, total)

    def reach(self, done: int, total: int) -> None:
        """See the port."""
        self._done, self._total = done, total
        self._inner.reach(done, total)

    def add(self, more: int) -> None:
        """See the port."""
        self._done += more
        self._inner.add(more)

    def _told(self) -> Told:
        key: Labels = labels(work=self._work, project=self._project, part=self._part, unit=self._unit)
        done = gauge("octonet_work_done", "What is done of a piece of work that lasts.", {key: self._done})
        total = gauge("octonet_work_total", "What there is to do in all, 0 where it is not known.", {key: self._total})
        return Told(f"{self._work}-{os.getpid()}", (done, total))
