"""Who owns which project, as this process hears it: every renewal of a lease passes by. Hearsay, good enough to tell
an operator and to know when to look closer; the lease itself is asked where it matters."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import msgspec
from nats.aio.msg import Msg

from jetstream import subjects
from jetstream.connection import Connection
from jetstream.last_message import last_message
from jetstream.process import NOBODY, Holder, is_dead
from jetstream.topology import LEASE_TTL
from octonet.kernel.ids import ProjectName

_decoder = msgspec.json.Decoder(Holder)
_AT_ONCE = 32


class Owners:
    """The owners of all projects."""

    def __init__(self, client: Connection) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._heard: dict[ProjectName, tuple[Holder, float]] = {}

    async def open(self, projects: Collection[ProjectName]) -> None:
        """Listen from now on, and ask how things stand. Raises `Unavailable`."""
        await self._client.subscribe(subjects.LEASE_SUBJECTS, cb=self._on_message)
        room = asyncio.Semaphore(_AT_ONCE)

        async def ask(project: ProjectName) -> None:
            async with room:
                _, body = await last_message(self._client, subjects.LEASES, subjects.lease(project))
            if body and project not in self._heard:
                # It was said some time ago: whoever wants the lease looks for itself.
                self._heard[project] = _decoder.decode(body), self._loop.time() - LEASE_TTL / 2

        await asyncio.gather(*(ask(project) for project in projects))

    def of(self, project: ProjectName) -> str:
        """The worker that owns a project, empty when none does."""
        holder, at = self._heard.get(project, (NOBODY, 0.0))
        return "" if self._loop.time() - at > LEASE_TTL or is_dead(holder) else holder.worker

    def silence(self, project: ProjectName) -> float:
        """Seconds since an owner of the project was heard of; without end when it has none."""
        holder, at = self._heard.get(project, (NOBODY, 0.0))
        return self._loop.time() - at if holder.worker else float("inf")

    async def _on_message(self, message: Msg) -> None:
        self._heard[subjects.leased(message.subject)] = _decoder.decode(message.data), self._loop.time()
