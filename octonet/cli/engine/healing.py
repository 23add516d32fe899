"""Healing a copy: prove the others whole, take the damaged one out, wait for the new one, prove it whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jetstream import subjects
from jetstream.connection import Connection, connect
from jetstream.copies import Stream, Unreadable, miscounted, read_copy, streams
from jetstream.endpoint import Endpoint
from jetstream.store import Store
from octonet.cli.engine.progress import Bars
from octonet.kernel.errors import Invalid, NotFound, Unavailable

_LOOK = 0.5
_GONE_WITHIN = 30.0
"""Seconds after which a cluster has noticed that a server is gone."""


async def heal(endpoint: Endpoint, stream: str, project: str, server: str, store: Path, quiet: bool) -> int:
    """See `octonet heal`. Raises `Invalid`, `NotFound`, `Unavailable` with a sentence that says what to do."""
    place = Store(store)
    if process := place.in_use():
        raise Invalid(f"{store} is in use by process {process}: stop the nats-server {server} first")
    client = await connect(endpoint, "octonet heal")
    try:
        with Bars(quiet) as bars:
            healing = _Healing(client, server, bars)
            wanted = [one.name for one in await streams(client) if stream == one.name or _is_of(one, project)]
            if not wanted:
                raise NotFound(f"there is no stream {stream or f'of project {project}'} of logs, facts or commands")
            for name in wanted:
                await healing.check(name)
            for name in wanted:
                place.remove(name)
            print(f"removed {', '.join(wanted)}. Start the nats-server {server} now", flush=True)
            for name in wanted:
                await healing.follow(name)
        print(f"healed: {', '.join(wanted)} on {server}")
        return 0
    finally:
        await client.close()


def _is_of(stream: Stream, project: str) -> bool:
    return bool(project) and subjects.kept_whole(stream.name) == project


class _Healing:
    """Of the copies on one server."""

    def __init__(self, client: Connection, server: str, bars: Bars) -> None:
        self._client = client
        self._server = server
        self._bars = bars

    async def check(self, name: str) -> None:
        """Whether the copy can be done without: the others are whole, and as far as their leader."""
        stream = await self._find(name)
        servers = stream.cluster.servers
        if len(servers) < 2:
            raise Invalid(f"{name} has one copy: nothing to heal it with. Restore it from a backup (`octonet restore`)")
        if self._server not in servers:
            raise Invalid(f"no server {self._server!r} holds a copy of {name}; these do: {', '.join(servers)}")
        await self._gone(name)
        stream = await self._find(name)
        for peer in stream.cluster.replicas:
            if peer.name != self._server and (peer.offline or not peer.current):
                raise Unavailable(f"{peer.name} is not in step with the leader of {name}: see to it first")
        if wrong := miscounted(name, stream.state):
            raise Unavailable(f"the copy of {name} on its leader {stream.cluster.leader} is not whole: {wrong}")
        for other in stream.servers:
            if other != self._server:
                await self._prove(stream, other)

    async def follow(self, name: str) -> None:
        """Wait until the server is in step again, and read its new copy."""
        while True:
            stream = await self._find(name)
            peers = {peer.name: peer for peer in stream.cluster.replicas}
            peer = peers.get(self._server)
            total = stream.state.last
            if stream.cluster.leader == self._server or (peer and peer.current and not peer.offline and not peer.lag):
                break
            there = 0 if peer is None or peer.offline else max(0, total - peer.lag)
            self._bars.begin(f"{name} to {self._server}", "message", there, total)
            await asyncio.sleep(_LOOK)
        await self._prove(stream, self._server)

    async def _gone(self, name: str) -> None:
        """Wait until the cluster knows that the server is stopped."""
        for _ in range(int(_GONE_WITHIN / _LOOK)):
            stream = await self._find(name)
            if any(peer.name == self._server and peer.offline for peer in stream.cluster.replicas):
                return
            await asyncio.sleep(_LOOK)
        raise Invalid(f"the nats-server {self._server} is running: stop it first")

    async def _prove(self, stream: Stream, server: str) -> None:
        """Have a server read its whole copy. Raises `Unavailable` when it is not whole."""
        state, what = stream.state, f"{stream.name} on {server}"
        first = max(0, state.first - 1)
        self._bars.begin(what, "message", 0, state.last - first)
        try:
            async for _, position in read_copy(self._client, stream.name, {server}.__contains__, first, state.last):
                self._bars.reach(position - first, state.last - first)
        except Unreadable as problem:
            raise Unavailable(f"the copy of {what} is not whole: {problem}") from problem

    async def _find(self, name: str) -> Stream:
        for stream in await streams(self._client):
            if stream.name == name:
                return stream
        raise NotFound(f"the stream {name} is gone")
