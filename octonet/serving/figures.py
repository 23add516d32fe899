"""All figures of a process, and of all processes of an installation."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from commands.engine import tally
from jetstream.connection import Connection
from jetstream.gathering import Gathering
from jetstream.stream_figures import stream_families
from octonet.kernel.figures import Family, Labels, counter, gauge, labels
from octonet.serving.roster import Roster
from octonet.serving.worker import Worker

encode = msgspec.msgpack.Encoder().encode
"""`Told`, as it travels."""
_NO_LABELS: Final[Labels] = ()


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What one process tells of itself; `process` is empty for what belongs to none alone."""

    process: str
    families: tuple[Family, ...]


_told = msgspec.msgpack.Decoder(Told)


class Figures:
    """`own` gives further figures of this process, those of its doors for instance."""

    def __init__(
        self, client: Connection, process: str, roster: Roster, worker: Worker | None, own: Callable[[], list[Family]]
    ) -> None:
        self._client = client
        self._process = process
        self._roster = roster
        self._worker = worker
        self._own = own
        self._began = monotonic()
        self._gathering = Gathering(client, "figures")

    async def open(self) -> None:
        """Answer whoever asks."""
        await self._gathering.answer(lambda _: encode(self._tell()))

    async def all(self) -> list[Told]:
        """Of every process that answers, and of the streams."""
        found = [_told.decode(body) for body in await self._gathering.ask()]
        if not any(told.process == self._process for told in found):
            found.append(self._tell())  # NATS is away, and nobody heard the question
        found.sort(key=lambda told: told.process)
        return [*found, Told("", tuple(await stream_families(self._client)))]

    def _tell(self) -> Told:
        return Told(self._process, (*self._of_process(), *self._of_projects(), *self._of_lanes(), *self._own()))

    def _of_process(self) -> Iterable[Family]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return (
            gauge("octonet_up_seconds", "Time since the process began.", {_NO_LABELS: monotonic() - self._began}),
            counter(
                "octonet_process_cpu_seconds_total",
                "CPU time that the process used.",
                {_NO_LABELS: used.ru_utime + used.ru_stime},
            ),
            gauge("octonet_process_resident_bytes", "Memory that the process holds.", {_NO_LABELS: _resident()}),
            gauge(
                "octonet_nats_connected",
                "1 while NATS is connected.",
                {_NO_LABELS: float(self._client.is_connected)},
            ),
            counter(
                "octonet_nats_reconnects_total",
                "How often the connection to NATS was made anew.",
                {_NO_LABELS: float(self._client.stats["reconnects"])},
            ),
        )

    def _of_projects(self) -> Iterable[Family]:
        ready: dict[Labels, float] = {}
        damaged: dict[Labels, float] = {}
        waiting: dict[Labels, float] = {}
        listening: dict[Labels, float] = {}
        for served in self._roster:
            key = labels(project=served.name)
            ready[key] = float(not (served.away or served.failed))
            damaged[key] = float(bool(served.failed))
            waiting[key], listening[key] = served.waiting, served.listening
        return (
            gauge("octonet_project_ready", "1 while a project can be read and written here.", ready),
            gauge("octonet_project_history_damaged", "1 when the lane stands still: see the log.", damaged),
            gauge("octonet_project_commands_waiting", "Commands of this process without an outcome yet.", waiting),
            gauge("octonet_project_subscribers", "Who follows the facts of a project here.", listening),
        )

    def _of_lanes(self) -> Iterable[Family]:
        posts = [] if self._worker is None else self._worker.posts
        owned: dict[Labels, float] = {labels(project=post.project): float(post.lane.owned.is_set()) for post in posts}
        mine = [post for post in posts if post.lane.owned.is_set()]
        decided: dict[Labels, float] = {labels(project=post.project): post.lane.mark.entry for post in mine}
        frames: dict[Labels, float] = {labels(project=post.project): post.lane.mark.frame for post in mine}
        fed: dict[Labels, float] = {labels(project=post.project): post.feed.reached for post in mine}
        return (
            gauge("octonet_lane_owned", "1 where this worker owns the lane.", owned),
            gauge("octonet_log_entry", "The last log entry of a project.", decided),
            gauge("octonet_command_frame", "The last frame of commands that was decided.", frames),
            gauge("octonet_feed_entry", "The last log entry whose facts are on the feed.", fed),
            *tally.families({post.project: post.lane.tally for post in posts}),
        )


def _resident() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return pages * float(os.sysconf("SC_PAGE_SIZE"))
