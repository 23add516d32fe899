"""The streams of an installation in figures: what they hold, what they may hold, and what is wrong with them."""

from __future__ import annotations

import logging

import msgspec
from nats.errors import Error as NatsError

from jetstream.connection import Connection
from octonet.kernel.figures import Family, Labels, gauge, labels

log = logging.getLogger("octonet.nats")

_OURS = "OCTO_"
_LISTED_WITHIN = 6.0


class _Config(msgspec.Struct, frozen=True):
    name: str
    max_bytes: int = -1


class _State(msgspec.Struct, frozen=True):
    messages: int
    bytes: int
    first_seq: int
    last_seq: int
    num_deleted: int = 0
    consumer_count: int = 0


class _Peer(msgspec.Struct, frozen=True):
    name: str
    current: bool = True
    lag: int = 0


class _Cluster(msgspec.Struct, frozen=True):
    replicas: tuple[_Peer, ...] = ()


class _Info(msgspec.Struct, frozen=True):
    config: _Config
    state: _State
    cluster: _Cluster | None = None


class _Page(msgspec.Struct, frozen=True):
    total: int = 0
    streams: tuple[_Info, ...] | None = None


_page = msgspec.json.Decoder(_Page)


async def stream_families(client: Connection) -> list[Family]:
    """As the servers say at the moment; nothing when they do not answer."""
    found: list[_Info] = []
    try:
        while True:
            # Not by `call`, which leaves a server that is silent: a cluster that misses a server is, for some seconds.
            body = msgspec.json.encode({"offset": len(found)})
            page = _page.decode((await client.request("$JS.API.STREAM.LIST", body, _LISTED_WITHIN)).data)
            found += page.streams or ()
            if not page.streams or len(found) >= page.total:
                break
    except (NatsError, TimeoutError) as problem:
        log.info("the streams are not told: %s", problem or "no answer")
        return []
    return _families([info for info in found if info.config.name.startswith(_OURS)])


def _families(streams: list[_Info]) -> list[Family]:
    def of(name: str, help: str, values: dict[str, float]) -> Family:
        return gauge(name, help, {labels(stream=stream): value for stream, value in values.items()})

    behind: dict[Labels, float] = {
        labels(stream=one.config.name, server=peer.name): peer.lag
        for one in streams
        for peer in (one.cluster.replicas if one.cluster else ())
    }
    limited = {one.config.name: float(one.config.max_bytes) for one in streams if one.config.max_bytes > 0}
    return [
        of("octonet_stream_bytes", "Bytes that a stream holds.", {s.config.name: s.state.bytes for s in streams}),
        of("octonet_stream_limit_bytes", "Bytes that a stream may hold.", limited),
        of("octonet_stream_messages", "Messages of a stream.", {s.config.name: s.state.messages for s in streams}),
        of("octonet_stream_last", "The last sequence of a stream.", {s.config.name: s.state.last_seq for s in streams}),
        of(
            "octonet_stream_consumers",
            "Those who read a stream at the moment.",
            {s.config.name: s.state.consumer_count for s in streams},
        ),
        gauge("octonet_stream_replica_lag", "Messages that a copy of a stream is behind.", behind),
    ]
