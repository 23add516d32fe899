"""Electing one worker per project. The lease only elects; the log's compare-and-set protects."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
from pathlib import Path

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import NO_SUCH_MESSAGE, ApiError, Config, call, publish
from jetstream.topology import LEASE_TTL
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName

log = logging.getLogger("octonet.lane")

_POLL = 0.1
_RENEW = LEASE_TTL / 4
_SAFE = LEASE_TTL * 0.9


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lease. `boot` and `process` let a worker on the same machine see that the holder is dead, without
    waiting for the lease to run out."""

    worker: str
    host: str
    boot: str
    process: int
    born: str


class _Message(msgspec.Struct, frozen=True):
    seq: int
    data: str = ""


class _Got(msgspec.Struct, frozen=True):
    message: _Message


_got = msgspec.json.Decoder(_Got)
_holder = msgspec.json.Decoder(Holder)


def this_process(worker: str) -> Holder:
    """This process, as a holder."""
    return Holder(worker, socket.gethostname(), _boot_id(), os.getpid(), _born(os.getpid()))


class JetStreamLease:
    """Implements `kernel.log.Lease`."""

    def __init__(self, client: Client, project: ProjectName, worker: str) -> None:
        self._client = client
        self._subject = subjects.lease(project)
        self._me = this_process(worker)
        self._sequence = 0
        self._until = 0.0
        self._renewal: asyncio.Task[None] | None = None

    def held(self) -> bool:
        """See the port: the clock is read before each renewal is sent, so the promise is never too long."""
        return self._now() < self._until

    async def acquire(self) -> None:
        """See the port."""
        await self._stop_renewal()
        while not await self.confirm():
            await asyncio.sleep(_POLL)
        self._renewal = asyncio.create_task(self._renew(), name="lease renewal")

    async def confirm(self) -> bool:
        """See the port."""
        if self.held():
            return True
        try:
            free_at = await self._free_at()
            return free_at is not None and await self._put(free_at)
        except (Unavailable, NatsError, TimeoutError) as problem:
            log.debug("lease: %s", problem or type(problem).__name__)
            return False

    async def release(self) -> None:
        """See the port."""
        await self._stop_renewal()
        if self.held():
            self._until = 0.0
            try:
                gone: Config = {"seq": self._sequence, "no_erase": True}
                await call(self._client, f"STREAM.MSG.DELETE.{subjects.LEASES}", gone)
            except (ApiError, Unavailable) as problem:
                log.debug("the lease will run out by itself: %s", problem)

    async def _free_at(self) -> int | None:
        """The subject's last sequence when the lease may be taken, None while another worker lives."""
        try:
            body = await call(self._client, f"STREAM.MSG.GET.{subjects.LEASES}", {"last_by_subj": self._subject})
        except ApiError as problem:
            if problem.code == NO_SUCH_MESSAGE:
                return 0
            raise Unavailable(str(problem)) from problem
        message = _got.decode(body).message
        holder = _holder.decode(base64.b64decode(message.data))
        return message.seq if holder == self._me or _is_dead(holder) else None

    async def _put(self, expected: int) -> bool:
        before = self._now()
        found = {headers.EXPECTED_LAST_SUBJECT_SEQUENCE: str(expected)}
        try:
            self._sequence = (await publish(self._client, self._subject, msgspec.json.encode(self._me), found, 1.0)).seq
        except ApiError:
            return False
        self._until = before + _SAFE
        return True

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

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _is_dead(holder: Holder) -> bool:
    """Whether the holder was a process of this very machine and boot that is no more."""
    if holder.host != socket.gethostname() or not holder.boot or holder.boot != _boot_id():
        return False
    return _born(holder.process) != holder.born


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _born(process: int) -> str:
    """The start time of a process in clock ticks since boot, empty when there is no such process."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
