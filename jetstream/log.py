"""The truth of a project: its log, appended to by compare-and-set."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
from nats.errors import Error as NatsError

from jetstream import headers
from jetstream.api import WRONG_LAST_SEQUENCE, ApiError, Config, call, publish
from jetstream.connection import Connection
from jetstream.copies import miscounted, step_down
from jetstream.log_streams import LogStreams
from jetstream.reader import State, StreamReader
from octonet.kernel.chain import is_continued
from octonet.kernel.errors import NoRoom, Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso, milliseconds
from octonet.kernel.log import AppendDoubtful, LogGap, Recorded, WrongSequence
from octonet.kernel.replica import Lag

log = logging.getLogger("octonet.nats")

_TIMEOUT = 4.0
_LEADERS = 6
"""Times that another copy is given the lead before somebody else has to see to it."""
_LOOK = 0.1
"""Seconds between two looks for a stream that is about to be made."""
_ELECTION = 0.5
"""Seconds that a change of the leader takes."""
_ASKED_ONCE = 1_000_000_000
"""Nanoseconds after which the server forgets a consumer that nobody reads from."""


class _Stored(msgspec.Struct, frozen=True):
    time: str


class _Got(msgspec.Struct, frozen=True):
    message: _Stored


class _Ends(msgspec.Struct, frozen=True):
    state: State
    now: str = msgspec.field(name="ts")


class _Delivered(msgspec.Struct, frozen=True):
    stream: int = msgspec.field(name="stream_seq")


class _Found(msgspec.Struct, frozen=True):
    delivered: _Delivered


_found = msgspec.json.Decoder(_Found)
_got = msgspec.json.Decoder(_Got)
_ends = msgspec.json.Decoder(_Ends)


class JetStreamLog:
    """Implements `kernel.log.Log` and `kernel.log.Rotation`, over all streams that the log is kept in."""

    def __init__(self, client: Connection, project: ProjectName) -> None:
        self._client = client
        self._streams = LogStreams(client, project)
        self.largest = client.max_payload - 1024

    @property
    def name(self) -> str:
        """The newest stream's."""
        return self._streams.name

    async def last(self) -> int:
        """See the port. Raises `LogGap` when the stream has lost messages: nobody may delete any. Where only the copy
        of the leader has, another one gets the lead."""
        damaged: set[str] = set()
        for _ in range(_LEADERS):
            info = await self._streams.newest()
            name, state, group = info.name, info.state, info.cluster
            if not miscounted(name, state):
                return state.last
            damaged.add(group.leader)
            others = [peer for peer in group.replicas if peer.name not in damaged]
            if not others:
                raise LogGap(
                    f"stream {name} holds {state.messages} messages of {state.last}, from sequence "
                    f"{state.first} on: history is missing"
                )
            heirs = [peer.name for peer in others if peer.current and not peer.offline]
            if heirs:
                log.error("the copy of %s on %s is damaged, %s is to lead", name, group.leader, heirs[0])
                await step_down(self._client, name, heirs[0])
            await asyncio.sleep(_ELECTION)
        raise Unavailable(f"stream {self.name} is led by a damaged copy, and no other is in step yet")

    async def stored(self) -> int:
        """The last sequence stored, whatever is missing before it. Raises `Unavailable`."""
        return (await self._streams.newest()).state.last

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        """See the port."""
        position = after
        while until is None or position < until:
            name, last = await self._held(position)
            end = until if last is None else last if until is None else min(until, last)
            async with aclosing(StreamReader(self._client, name).read(position, end)) as batches:
                async for batch in batches:
                    position = batch[-1].sequence
                    yield batch
                    if end is None and is_continued(batch[-1].body):
                        break

    async def _held(self, position: int) -> tuple[str, int | None]:
        """The stream that holds what is behind a position, and its last sequence when it is closed. Waits where the
        log is about to go on in a stream that is not there yet."""
        streams = self._streams
        while True:
            for one in streams.closed:
                if position < one.last:
                    return one.name, one.last
            try:
                info = await streams.look()
                waits = info is not None and info.state.last == position and await streams.ends(info)
            except Unavailable as problem:
                log.info("looking for the end of %s again: %s", streams.name, problem)
                waits = True
                info = None
            if any(position < one.last for one in streams.closed):
                continue
            if info is not None and not waits:
                return streams.name, None
            await asyncio.sleep(_LOOK)

    async def settle(self) -> bool:
        """See the port."""
        return await self._streams.settle()

    async def rotate(self) -> None:
        """See the port."""
        await self._streams.rotate()

    async def size(self) -> int:
        """Bytes that the newest stream holds. Raises `Unavailable`."""
        return (await self._streams.newest()).state.bytes

    async def stored_since(self, moment: int) -> int:
        """The first sequence that was stored at this time or later, in milliseconds since 1970; the next one when none
        was. Raises `Unavailable`."""
        await self._streams.newest()
        found = await self._stored_since(self._streams.name, moment)
        for one in reversed(self._streams.closed):
            if found > one.last + 1:
                break
            found = await self._stored_since(one.name, moment)
        return found

    async def _stored_since(self, name: str, moment: int) -> int:
        config = {
            "deliver_policy": "by_start_time",
            "opt_start_time": iso(max(0, moment)),
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _ASKED_ONCE,
        }
        body = await self._call(f"CONSUMER.CREATE.{name}", {"stream_name": name, "config": config})
        # The server says where it would begin; nothing is ever read there.
        return _found.decode(body).delivered.stream + 1

    async def lag(self, entry: int) -> Lag:
        """How far a fold is behind that has come to `entry`, by the clock of the server alone. Raises `Unavailable`."""
        await self._streams.newest()
        ends = _ends.decode(await self._call(f"STREAM.INFO.{self.name}"))
        positions = ends.state.last - entry
        if positions <= 0:
            return Lag()
        held = self._streams.holding(entry + 1)
        oldest = _got.decode(await self._call(f"STREAM.MSG.GET.{held}", {"seq": entry + 1}))
        age = milliseconds(ends.now, "ts") - milliseconds(oldest.message.time, "time")
        return Lag(positions, max(0, age))

    async def _call(self, subject: str, body: Config | None = None) -> bytes:
        try:
            return await call(self._client, subject, body)
        except ApiError as problem:
            raise Unavailable(f"{subject}: {problem}") from problem

    async def append(self, body: bytes, after: int) -> int:
        """See the port. There is no message id: compare-and-set alone decides, without a window of time."""
        found = {headers.EXPECTED_LAST_SEQUENCE: str(after)}
        try:
            sequence = (await publish(self._client, self._streams.subject, body, found, _TIMEOUT)).seq
        except ApiError as problem:
            if problem.code in WRONG_LAST_SEQUENCE:
                raise WrongSequence(str(problem)) from problem
            if problem.no_room:
                raise NoRoom(f"the log cannot be written, its stream {self.name} has no room: {problem}") from problem
            raise AppendDoubtful(str(problem)) from problem
        except (NatsError, TimeoutError) as problem:
            raise AppendDoubtful(f"no acknowledgement: {problem or type(problem).__name__}") from problem
        if sequence != after + 1:
            raise AppendDoubtful(f"stored at {sequence}, expected {after + 1}")
        return sequence
