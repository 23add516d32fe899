"""What an operator can see of all processes together: figures, performance, and requests as they are answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

import msgspec

from jetstream.connection import Connection
from jetstream.gathering import Gathering
from octonet.access.gate import insider
from octonet.admin.pace import ENTITY, Paces
from octonet.kernel.errors import OctonetError
from octonet.kernel.figures import Family
from octonet.serving.figures import Figures
from transports.engine.performance import Serving, summary
from transports.engine.throttle import Pace, Throttle
from transports.engine.traffic import Seen, Traffic

log = logging.getLogger("octonet")

_WATCHED: Final = 6.0
"""Seconds for which a watcher is believed to be there."""
_BEAT: Final = 2.0
_FLUSH: Final = 0.1
_MOST_LINES: Final = 2000
_PAUSE: Final = 1.0

_serving = msgspec.msgpack.Decoder(Serving)
_seen = msgspec.json.Decoder(list[Seen])
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class Observation:
    """Implements `octonet.admin.doors.performance.Observed`, and hears of the pace as a listener of the system
    project's facts."""

    def __init__(self, client: Connection, figures: Figures, traffic: Traffic, throttle: Throttle, pool: int) -> None:
        self._figures = figures
        self._traffic = traffic
        self._throttle = throttle
        self._pool = pool
        self._serving = Gathering(client, "performance")
        self._watching = Gathering(client, "watching")
        self._requests = Gathering(client, "requests")
        self._watchers: list[deque[bytes]] = []
        self._changed = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Answer whoever asks, in any process."""
        await self._figures.open()
        await self._serving.answer(lambda _: _pack(self._share()))
        await self._watching.answer(self._watched)
        await self._requests.answer(self._heard)

    async def run(self, paces: Paces, ready: Callable[[], Awaitable[None]]) -> None:
        """Keep the pace that the system project says, for ever. `ready` waits until what was heard can be read."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await ready()
                wanted = await paces.read(insider("pace"))
            except OctonetError as problem:
                log.info("the pace is looked at again later: %s", problem)
                await asyncio.sleep(_PAUSE)
                self._changed.set()
            else:
                self._throttle.pace = Pace(wanted.per_client, wanted.per_project)

    def hear(self, entity: str, id: str, version: int) -> None:
        """See the port."""
        if entity == ENTITY:
            self._changed.set()

    def trust(self) -> None:
        """See the port."""
        self._changed.set()

    def distrust(self) -> None:
        """See the port: the pace is kept as it is."""

    async def families(self) -> Iterable[tuple[str, Iterable[Family]]]:
        """See the port."""
        return [(told.process, told.families) for told in await self._figures.all()]

    async def performance(self) -> dict[str, object]:
        """See the port."""
        answers = [_serving.decode(body) for body in await self._serving.ask()] or [self._share()]
        rejected = sum(process.refused for process in answers)
        return {**summary(answers), "pool": {"max": self._pool}, "rejected": rejected}

    @contextlib.asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `octonet.admin.doors.live_log.Watch`. Of requests that come faster than they are read, the oldest are
        left out."""
        lines: deque[bytes] = deque(maxlen=_MOST_LINES)
        self._watchers.append(lines)
        await self._watching.tell(b"")
        beating = asyncio.create_task(self._beat())
        try:
            yield _lines(lines)
        finally:
            beating.cancel()
            self._watchers = [one for one in self._watchers if one is not lines]

    async def close(self) -> None:
        """Tell nothing more."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)

    def _share(self) -> Serving:
        return msgspec.structs.replace(self._traffic.serving(), refused=self._throttle.refused)

    def _watched(self, question: bytes) -> bytes:
        self._traffic.watch(_WATCHED)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return b""

    def _heard(self, message: bytes) -> bytes:
        if self._watchers:
            for line in map(_json, _seen.decode(message)):
                for watcher in self._watchers:
                    watcher.append(line)
        return b""

    async def _flush(self) -> None:
        while self._traffic.watched:
            await asyncio.sleep(_FLUSH)
            if lines := self._traffic.told():
                await self._requests.tell(_json(lines))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            await self._watching.tell(b"")


async def _lines(lines: deque[bytes]) -> AsyncIterator[bytes]:
    silent = 0.0
    while True:
        while lines:
            silent = 0.0
            yield lines.popleft()
        await asyncio.sleep(_FLUSH)
        silent += _FLUSH
        if silent >= _BEAT:
            silent = 0.0
            yield b""
