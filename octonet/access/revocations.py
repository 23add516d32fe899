"""Every change of the system project, as a process's key ring hears it: a revocation reaches all replicas as a fact."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from octonet.access.key_ring import KeyRing
from octonet.kernel.errors import OctonetError
from octonet.kernel.event import Fact
from octonet.kernel.log import LogGap
from octonet.kernel.position import Position
from projections.engine.hub import Hub
from projections.engine.live import Interest, Live

log = logging.getLogger("octonet.access")

_PAUSE = 0.2
_told = msgspec.msgpack.Decoder(list[tuple[str, str, int]])
_encode = msgspec.msgpack.Encoder().encode


class Revocations:
    """Implements `projections.engine.hub.Subscriber`. `hub` gives the system project's facts as they are now."""

    def __init__(self, hub: Callable[[], Hub], ring: KeyRing) -> None:
        self._hub = hub
        self._ring = ring
        self._broken = asyncio.Event()
        self._reached: Position | None = None

    async def run(self) -> None:
        """For ever: while nothing can be heard, the ring is told not to rely on what it knows."""
        while True:
            self._broken.clear()
            try:
                # Behind what was heard: a revocation in between must not be missed by those who are still connected.
                subscription = await self._hub().join(Interest(), _changes, self, self._reached)
            except (OctonetError, LogGap) as problem:
                log.debug("the facts of the system project cannot be heard yet: %s", problem)
            else:
                self._reached = self._reached or subscription.position
                self._ring.trust()
                try:
                    await self._broken.wait()
                finally:
                    subscription.leave()
                    self._ring.distrust()
            await asyncio.sleep(_PAUSE)

    def send(self, frames: bytes, last: Position) -> None:
        """See the port."""
        for entity, id, version in _told.decode(frames):
            self._ring.hear(entity, id, version)
        self._reached = last

    async def drained(self) -> None:
        """See the port: nothing ever waits here."""

    def cut(self, reason: str) -> None:
        """See the port."""
        self._broken.set()


def _changes(facts: list[Live]) -> bytes:
    return _encode([(fact.entity, fact.id, 0 if fact.fact is Fact.DELETED else fact.version) for fact in facts])
