"""Electing one worker per project. The lease only elects; the log's compare-and-set protects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import ApiError, publish
from jetstream.connection import Connection
from jetstream.last_message import last_message
from jetstream.owners import Owners
from jetstream.process import NOBODY, Holder, is_dead, this_process
from jetstream.topology import LEASE_TTL
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName

log = logging.getLogger("octonet.lane")

_POLL = 0.1
_RENEW = LEASE_TTL / 4
_SAFE = LEASE_TTL * 0.9
_SILENCE = _RENEW * 1.5
"""Seconds without a renewal after which the lease itself is looked at."""


_holder = msgspec.json.Decoder(Holder)
_encode = msgspec.json.Encoder().encode


class JetStreamLease:
    """Implements `kernel.log.Lease`. `patience` says for how many seconds a free lease is left to others."""

    def __init__(
        self, client: Connection, project: ProjectName, worker: str, owners: Owners, patience: Callable[[], float]
    ) -> None:
        self._client = client
        self._project = project
        self._owners = owners
        self._patience = patience
        self._resigned = False
        self._subject = subjects.lease(project)
        self._me = this_process(worker)
        self._sequence = 0
        self._until = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def held(self) -> bool:
        """See the port: the clock is read before each renewal is sent, so the promise is never too long."""
        return self._loop.time() < self._until

    async def acquire(self) -> None:
        """See the port."""
        await self._stop_renewal()
        self._resigned = False
        free_since: float | None = None
        while not self.held():
            free_at = await self._look()
            if free_at is None:
                free_since = None
            else:
                now = self._loop.time()
                free_since = now if free_since is None else free_since
                if now - free_since >= self._patience() and await self._take(free_at):
                    break
            await asyncio.sleep(_POLL)
        self._renewal = asyncio.create_task(self._renew(), name="lease renewal")

    async def confirm(self) -> bool:
        """See the port."""
        if self.held():
            return True
        if self._resigned:
            return False
        free_at = await self._free_at()
        return free_at is not None and await self._take(free_at)

    async def release(self) -> None:
        """See the port: everybody hears of it, so that the next owner need not wait for the lease to run out."""
        await self._stop_renewal()
        held, self._resigned, self._until = self.held(), True, 0.0
        if held:
            try:
                await self._publish(NOBODY)
            except (ApiError, NatsError, TimeoutError) as problem:
                log.debug("the lease will run out by itself: %s", problem or type(problem).__name__)

    async def _look(self) -> int | None:
        """As `_free_at`, without asking while an owner is heard of."""
        return None if self._owners.silence(self._project) < _SILENCE else await self._free_at()

    async def _free_at(self) -> int | None:
        """The subject's last sequence when the lease may be taken, None while another worker lives, or nobody
        knows."""
        try:
            sequence, body = await last_message(self._client, subjects.LEASES, self._subject)
        except Unavailable as problem:
            log.debug("lease: %s", problem)
            return None
        holder = _holder.decode(body) if body else NOBODY
        return sequence if holder in (NOBODY, self._me) or is_dead(holder) else None

    async def _take(self, expected: int) -> bool:
        try:
            return await self._put(expected)
        except (NatsError, TimeoutError) as problem:
            log.debug("lease: %s", problem or type(problem).__name__)
            return False

    async def _put(self, expected: int) -> bool:
        before = self._loop.time()
        self._sequence = expected
        try:
            self._sequence = await self._publish(self._me)
        except ApiError:
            return False
        self._until = before + _SAFE
        return True

    async def _publish(self, holder: Holder) -> int:
        found = {headers.EXPECTED_LAST_SUBJECT_SEQUENCE: str(self._sequence)}
        return (await publish(self._client, self._subject, _encode(holder), found, 1.0)).seq

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            try:
                if not self.held():
                    await self.confirm()
                elif not await self._put(self._sequence):
                    self._until = 0.0
            except (NatsError, TimeoutError) as problem:
                log.debug("lease renewal: %s", problem or type(problem).__name__)

    async def _stop_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
            self._renewal = None
