"""Facts as they happen, as batches: from now on, or from behind a position that the client holds."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable
from typing import Final

import msgspec
import pyarrow as pa
from pyarrow import flight

from octonet.access.principal import REVOKED
from octonet.kernel.errors import Exhausted, OctonetError, Unauthenticated, Unavailable, invalid
from octonet.kernel.faults import step
from octonet.kernel.position import Position
from octonet.project import Project
from projections.engine.hub import Subscription
from projections.engine.live import Interest, Live
from transports.engine import wish
from transports.engine.arrow.call import Call
from transports.engine.arrow.columns import TIME
from transports.engine.arrow.problems import ClientGone
from transports.engine.arrow.wishes import Named

FACTS: Final = pa.schema(
    [
        pa.field("position", pa.string(), False),
        pa.field("fact", pa.string(), False),
        pa.field("op", pa.string(), False),
        pa.field("entity", pa.string(), False),
        pa.field("id", pa.string(), False),
        pa.field("version", pa.int64(), False),
        pa.field("at", TIME, False),
        pa.field("data", pa.string()),
    ]
)
"""What is told of a fact. `data` is the row after it, JSON; null when it is gone."""
_MEMBERS: Final = frozenset({"filter", "after"})
_LOOK: Final = 0.2
"""Seconds between two looks whether the client is still there."""
_MOST: Final = 4 * 1024 * 1024
"""Bytes that may wait for a client before it is cut."""
_PATIENCE: Final = 30.0
"""Seconds that a client which is told of the past may take without reading."""
_PAUSE: Final = 0.02
_SLOW: Final = "the client does not keep up: go on from the position of the last fact"


class _Fact(msgspec.Struct, frozen=True, array_like=True):
    position: str
    fact: str
    op: str
    entity: str
    id: str
    version: int
    at: int
    data: str | None


_write = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(list[_Fact]).decode


def encode(facts: list[Live]) -> bytes:
    """Some facts, for all clients that want the same."""
    return _write([_told(fact) for fact in facts])


def _told(live: Live) -> _Fact:
    data = None if live.data is None else live.data.decode()
    return _Fact(live.token, str(live.fact), live.op, live.entity, live.id, live.version, live.at, data)


class _Client:
    """One client of facts, between the loop and its thread. Implements `projections.engine.hub.Subscriber`."""

    def __init__(self) -> None:
        self.frames: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.problem: OctonetError | None = None
        # Bytes. Each is counted by one thread only: the loop's, and the client's.
        self._handed = 0
        self.taken = 0

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._handed - self.taken

    def send(self, frames: bytes, last: Position) -> None:
        """See `Subscriber`."""
        if self.problem is None and self.waiting > _MOST:
            self.end(Exhausted(_SLOW, code="TOO_SLOW"))
        elif self.problem is None:
            self._handed += len(frames)
            self.frames.put(frames)

    async def drained(self) -> None:
        """See `Subscriber`. Only a client that reads nothing for long is left to `send`."""
        for _ in range(int(_PATIENCE / _PAUSE)):
            if self.waiting <= _MOST // 4 or self.problem is not None:
                return
            await asyncio.sleep(_PAUSE)

    def cut(self, reason: str) -> None:
        """See `Subscriber`."""
        self.end(Unavailable(f"{reason}: go on from the position of the last fact", code="TAIL_ENDED"))

    def end(self, problem: OctonetError) -> None:
        """There will be no more."""
        if self.problem is None:
            self.problem = problem
            self.frames.put(b"")


def tail(call: Call, named: Named, writer: flight.MetadataRecordBatchWriter) -> None:
    """Send facts until the client goes away. A message of metadata alone comes first: where they begin."""
    for name in named.more:
        if name not in _MEMBERS:
            raise invalid(step("$", name), "is not a member of a wish for facts", code="UNKNOWN_MEMBER")
    client = _Client()
    home, subscription, unwatch = call.run(_join(call, named, client))
    try:
        writer.begin(FACTS)
        start = {"position": home.positions.encode(subscription.position)}
        writer.write_metadata(pa.py_buffer(msgspec.json.encode(start)))
        while True:
            _send(call, client, writer)
    finally:
        call.bridge.soon(subscription.leave)
        call.bridge.soon(unwatch)


async def _join(call: Call, named: Named, client: _Client) -> tuple[Project, Subscription, Callable[[], None]]:
    home = await call.gateway.enter(call.project(named.project), call.who)
    interest: Interest = wish.interest(
        home.schemas, [named.entity] if named.entity else [], named.more.get("filter", msgspec.UNSET)
    )
    after = wish.after(home.positions, named.more.get("after", msgspec.UNSET))
    subscription = await home.hub.join(interest, encode, client, after)
    unwatch = call.who.principal.watch(lambda: client.end(Unauthenticated(REVOKED)))
    return home, subscription, unwatch


def _send(call: Call, client: _Client, writer: flight.MetadataRecordBatchWriter) -> None:
    frames: bytes | None
    try:
        frames = client.frames.get(timeout=_LOOK)
    except queue.Empty:
        frames = None
    if call.gone():
        raise ClientGone
    if call.bridge.ending:
        raise Unavailable("the server is shutting down", code="TAIL_ENDED")
    if frames is None:
        return
    if frames:
        client.taken += len(frames)
        writer.write_batch(_batch(_read(frames)))
    elif client.problem is not None:
        raise client.problem


def _batch(facts: list[_Fact]) -> pa.RecordBatch:
    columns = zip(*(msgspec.structs.astuple(fact) for fact in facts), strict=True)
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, FACTS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=FACTS)
