"""Looking after every copy of every stream: a server of the cluster may hold a damaged one and not know.

One process does it for all, and tells the others. Counting is cheap, and finds what a server has noticed itself when it
started. A flipped bit under a server that was stopped in good order shows only when the message is read: so copies are
read, too, a piece at every look, and from end to end once their server has started anew (ADR-0020).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from jetstream import subjects
from jetstream.connection import Connection
from jetstream.copies import Stream, Unreadable, account, miscounted, read_copy, step_down, streams
from jetstream.gathering import Gathering
from jetstream.monitors import Account, Monitors
from octonet.kernel.damage import Damage
from octonet.kernel.errors import Unavailable
from octonet.kernel.figures import Family, gauge, labels
from octonet.kernel.ids import ProjectName

log = logging.getLogger("octonet.scrubber")

Copy: TypeAlias = tuple[str, str]
"""Stream and server; no stream: the server itself."""

_PIECE = 10_000
"""Messages of a copy that are read at a look."""
_BREATH = 0.02
_APART = 0.5
"""Seconds between two streams that are read: serving goes first."""
_NO_NEARER = 3
"""Looks for which a copy must be behind, and come no nearer, to be called damaged."""
_IDLE = 1.0

_told = msgspec.json.Decoder(list[Damage])


class Scrubber:
    """`leads` says whether this process is the one; `every`: seconds between two looks."""

    def __init__(self, client: Connection, leads: Callable[[], bool], every: float, monitors: Monitors) -> None:
        self._client = client
        self._leads = leads
        self._every = every
        self._monitors = monitors
        self._gathering = Gathering(client, "damage")
        self.damaged: tuple[Damage, ...] = ()
        """What is known to be wrong, as the process that looks last told."""
        self._leading = False
        self._account = ""
        self._streams: list[Stream] = []
        self._counted: dict[Copy, str] = {}
        self._unreadable: dict[Copy, tuple[int, str]] = {}
        self._unread: set[Copy] = set()
        self._behind: dict[Copy, tuple[int, int]] = {}
        self._began: dict[str, str] = {}
        self._cursors: dict[str, int] = {}
        self._wake = asyncio.Event()

    async def open(self) -> None:
        """Hear what is found."""
        await self._gathering.answer(self._heard)

    async def run(self) -> None:
        """Look, for ever, whenever this process is the one."""
        if self._every > 0:
            await asyncio.gather(self._count_on(), self._read_on())

    def families(self) -> list[Family]:
        """Of what is damaged: told by the process that looks."""
        found = {labels(stream=one.stream, server=one.server): 1.0 for one in self.damaged} if self._leading else {}
        return [gauge("octonet_stream_copy_damaged", "1 for a copy of a stream that is not whole: see the log.", found)]

    def _heard(self, message: bytes) -> bytes:
        self.damaged = tuple(_told.decode(message))
        return b""

    async def _count_on(self) -> None:
        while True:
            if self._leads():
                if not self._leading:
                    self._begin()
                try:
                    await self._count()
                    await self._tell()
                except Unavailable as problem:
                    log.info("nothing is counted: %s", problem)
                await asyncio.sleep(self._every)
            else:
                self._leading = False
                await asyncio.sleep(_IDLE)

    def _begin(self) -> None:
        """Go on where another process was: what it found is believed until it was read."""
        self._leading = True
        self._counted, self._began, self._behind, self._cursors = {}, {}, {}, {}
        self._unreadable = {(one.stream, one.server): (1, one.reason) for one in self.damaged if one.stream}

    async def _count(self) -> None:
        self._streams = await streams(self._client)
        found: dict[Copy, str] = {}
        for stream in self._streams:
            if wrong := miscounted(stream.name, stream.state):
                found[stream.name, stream.cluster.leader] = wrong
            away = (peer.name for peer in stream.cluster.replicas if peer.offline)
            found |= {("", server): "it is away" for server in away}
        if not self._account:
            self._account = await account(self._client)
        accounts, silent = await self._monitors.ask(self._account)
        found = {("", server): "it does not answer" for server in silent} | found
        for answer in accounts:
            found |= self._held(answer)
        self._counted = found
        seen = {(stream.name, server) for stream in self._streams for server in stream.servers}
        began = {answer.server: answer.began for answer in accounts}
        anew = {copy for copy in seen if began.get(copy[1], "") != self._began.get(copy[1])}
        self._began = {server: began.get(server, "") for _, server in seen}
        self._unreadable = {copy: place for copy, place in self._unreadable.items() if copy[0] in self._names()}
        if anew:
            self._unread |= anew
            self._wake.set()
        for stream in self._streams:
            await self._lead_well(stream)

    def _names(self) -> set[str]:
        return {stream.name for stream in self._streams}

    def _held(self, answer: Account) -> dict[Copy, str]:
        """What is wrong with the copies that one server holds."""
        found: dict[Copy, str] = {}
        for stream in self._streams:
            copy = (stream.name, answer.server)
            if answer.server not in stream.cluster.servers:
                continue
            state = answer.copies.get(stream.name)
            if state is not None and (wrong := miscounted(stream.name, state)):
                found[copy] = wrong
            lag = stream.state.last - (state.last if state else 0)
            before, looks = self._behind.get(copy, (0, 0))
            looks = looks + 1 if 0 < before <= lag else 0
            self._behind[copy] = lag, looks
            if looks >= _NO_NEARER:
                found[copy] = f"it is {lag} messages behind its leader, and comes no nearer"
        return found

    async def _lead_well(self, stream: Stream) -> None:
        """A copy that is not whole must not lead: what the leader lacks, the stream lacks."""
        if not self._wrong((stream.name, stream.cluster.leader)):
            return
        peers = [peer.name for peer in stream.cluster.replicas if peer.current and not peer.offline]
        heirs = [name for name in peers if not self._wrong((stream.name, name))]
        if heirs:
            log.warning("%s is led by %s no more: its copy there is damaged", stream.name, stream.cluster.leader)
            try:
                await step_down(self._client, stream.name, heirs[0])
            except Unavailable as problem:
                log.warning("%s", problem)

    def _wrong(self, copy: Copy) -> str:
        return self._counted.get(copy, "") or self._unreadable.get(copy, (0, ""))[1]

    async def _tell(self) -> None:
        """To every process; and to the log, what is new."""
        copies = {*self._counted, *self._unreadable}
        found = [
            Damage(subjects.kept_whole(stream) or ProjectName(""), stream, server, self._wrong((stream, server)))
            for stream, server in sorted(copies)
        ]
        before = {(one.stream, one.server) for one in self.damaged}
        for one in found:
            if (one.stream, one.server) not in before:
                what = f"the copy of {one.stream} on server" if one.stream else "server"
                log.critical("ALARM: %s %s: %s", what, one.server, one.reason)
        for stream, server in before - copies:
            log.warning("%s is well again on server %s", stream or "all", server)
        self.damaged = tuple(found)
        await self._gathering.tell(msgspec.json.encode(found))

    async def _read_on(self) -> None:
        while True:
            self._wake.clear()
            for stream in self._streams if self._leading else ():
                before = dict(self._unreadable)
                try:
                    await self._read(stream)
                except Unavailable as problem:
                    log.info("%s", problem)
                if self._unreadable != before:
                    await self._lead_well(stream)
                    await self._tell()
                await asyncio.sleep(_APART)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._every)

    async def _read(self, stream: Stream) -> None:
        """A piece of every copy, and all of those that are not known to be whole."""
        first, last = stream.state.first - 1, stream.state.last
        if not last:
            return
        whole = {server for server in stream.servers if self._dubious((stream.name, server))}
        for server in sorted(whole):
            place = max(first, self._unreadable.get((stream.name, server), (1, ""))[0] - 1)
            # Where it was broken first: as long as it is, nothing else needs to be looked at.
            if await self._passes(stream, {server}, place, last) and await self._passes(stream, {server}, first, place):
                self._unread.discard((stream.name, server))
                self._unreadable.pop((stream.name, server), None)
        after = max(first, self._cursors.get(stream.name, 0))
        until = min(last, after + _PIECE)
        rest = set(stream.servers) - whole
        while rest and await self._passes(stream, rest, after, until):
            continue
        self._cursors[stream.name] = until if until < last else 0

    def _dubious(self, copy: Copy) -> bool:
        return copy in self._unread or copy in self._unreadable

    async def _passes(self, stream: Stream, servers: set[str], after: int, until: int) -> bool:
        """Read a piece of one copy, of any of these servers, which is taken out of them; whether it is whole."""
        server = ""
        try:
            wanted = frozenset(("", *servers))
            async for host, _ in read_copy(self._client, stream.name, wanted.__contains__, after, until):
                server = host
                await asyncio.sleep(_BREATH)
        except Unreadable as problem:
            now = {one.name: one.state.first for one in await streams(self._client)}
            # The oldest commands go while they are read.
            if problem.place >= now.get(stream.name, problem.place + 1):
                self._unreadable[stream.name, server or stream.cluster.leader] = problem.place, str(problem)
                self._unread.discard((stream.name, server))
                servers.discard(server or stream.cluster.leader)
                return False
        servers.discard(server or stream.cluster.leader)
        return True
