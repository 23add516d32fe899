"""Every change of the system project, as each process hears it: a revocation, or a new project, reaches all replicas as
a fact."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

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


class Listener(Protocol):
    """Whoever relies on what the system project says."""

    def hear(self, entity: str, id: str, version: int) -> None:
        """A row changed; `version` 0: it is gone."""
        ...

    def trust(self) -> None:
        """Facts are heard from now on; earlier ones may have been missed."""
        ...

    def distrust(self) -> None:
        """Facts are not heard any more."""
        ...


class SystemFacts:
    """Implements `projections.engine.hub.Subscriber`. `hub` gives the system project's facts as they are now."""

    def __init__(self, hub: Callable[[], Hub], listeners: Sequence[Listener]) -> None:
        self._hub = hub
        self._listeners = listeners
        self._broken = asyncio.Event()
        self.reached: Position | None = None
        """Where the last fact that was heard stands. Its row may be readable a moment later."""

    async def run(self) -> None:
        """For ever: while nothing can be heard, the listeners are told not to rely on what they know."""
        while True:
            self._broken.clear()
            try:
                # Behind what was heard: a revocation in between must not be missed by those who are still connected.
                subscription = await self._hub().join(Interest(), _changes, self, self.reached)
            except (OctonetError, LogGap) as problem:
                log.debug("the facts of the system project cannot be heard yet: %s", problem)
            else:
                self.reached = self.reached or subscription.position
                for listener in self._listeners:
                    listener.trust()
                try:
                    await self._broken.wait()
                finally:
                    subscription.leave()
                    for listener in self._listeners:
                        listener.distrust()
            await asyncio.sleep(_PAUSE)

    def send(self, frames: bytes, last: Position) -> None:
        """See the port."""
        self.reached = last
        for entity, id, version in _told.decode(frames):
            for listener in self._listeners:
                listener.hear(entity, id, version)

    async def drained(self) -> None:
        """See the port: nothing ever waits here."""

    def cut(self, reason: str) -> None:
        """See the port."""
        self._broken.set()


def _changes(facts: list[Live]) -> bytes:
    return _encode([(fact.entity, fact.id, 0 if fact.fact is Fact.DELETED else fact.version) for fact in facts])
