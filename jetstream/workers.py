"""Which workers live, and which projects each of them can take."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.api import ApiError, call, publish
from jetstream.connection import Connection
from jetstream.last_message import last_message
from jetstream.process import Holder, is_dead, this_process
from jetstream.topology import LEASE_TTL
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName

log = logging.getLogger("octonet.lane")

_RENEW = LEASE_TTL / 4
_STEADY = _RENEW
"""Seconds after which a worker that came is believed to stay."""


class _Notice(msgspec.Struct, frozen=True):
    """What a worker says of itself. One that takes no project leaves."""

    holder: Holder
    projects: tuple[str, ...] = ()


class _Known(msgspec.Struct, frozen=True):
    notice: _Notice
    since: float
    heard: float


class _State(msgspec.Struct, frozen=True):
    subjects: dict[str, int] = {}


class _Info(msgspec.Struct, frozen=True):
    state: _State


_notice = msgspec.json.Decoder(_Notice)
_encode = msgspec.json.Encoder().encode


class Workers:
    """The workers that live, this one included from its first `take` on."""

    def __init__(self, client: Connection, me: str) -> None:
        self.me = me
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._self = this_process(me)
        self._mine: set[ProjectName] = set()
        self._known: dict[str, _Known] = {}
        self._telling: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Listen to the others from now on, and begin to tell of this worker. Raises `Unavailable`."""
        await self._client.subscribe(subjects.WORKER_SUBJECTS, cb=self._on_message)
        try:
            body = await call(
                self._client, f"STREAM.INFO.{subjects.WORKERS}", {"subjects_filter": subjects.WORKER_SUBJECTS}
            )
        except ApiError as problem:
            raise Unavailable(f"the workers are not known: {problem}") from problem
        for subject in msgspec.json.decode(body, type=_Info).state.subjects:
            _, said = await last_message(self._client, subjects.WORKERS, subject)
            if said:
                self._hear(_notice.decode(said))
        self._telling = asyncio.create_task(self._tell_for_ever(), name="worker's notice")

    def take(self, project: ProjectName) -> None:
        """This worker can own the project from now on."""
        self._mine.add(project)
        self._changed.set()

    def drop(self, project: ProjectName) -> None:
        """This worker does not own the project any more, and will not."""
        self._mine.discard(project)
        self._changed.set()

    def able(self, project: ProjectName) -> Collection[str]:
        """The workers that can own a project."""
        found = {name for name, known in self._known.items() if project in known.notice.projects and self._lives(known)}
        return found | {self.me} if project in self._mine else found - {self.me}

    def steady(self, worker: str) -> bool:
        """Whether a worker has been there for a while."""
        known = self._known.get(worker)
        return known is not None and self._loop.time() - known.since >= _STEADY

    async def leave(self) -> None:
        """Tell the others that this worker owns nothing any more."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
            self._mine.clear()
            await self._tell()

    def _lives(self, known: _Known) -> bool:
        return self._loop.time() - known.heard < LEASE_TTL and not is_dead(known.notice.holder)

    async def _tell_for_ever(self) -> None:
        while True:
            self._changed.clear()
            await self._tell()
            try:
                async with asyncio.timeout(_RENEW):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _tell(self) -> None:
        notice = _Notice(self._self, tuple(sorted(self._mine)))
        try:
            await publish(self._client, subjects.worker(self.me), _encode(notice), {}, 1.0)
        except (ApiError, NatsError, TimeoutError) as problem:
            log.debug("the workers were not told: %s", problem or type(problem).__name__)

    async def _on_message(self, message: Msg) -> None:
        self._hear(_notice.decode(message.data))

    def _hear(self, notice: _Notice) -> None:
        name, now = notice.holder.worker, self._loop.time()
        before = self._known.get(name)
        if not notice.projects:
            self._known.pop(name, None)
        else:
            self._known[name] = _Known(notice, before.since if before is not None else now, now)
        for gone in [name for name, known in self._known.items() if now - known.heard > 2 * LEASE_TTL]:
            del self._known[gone]
