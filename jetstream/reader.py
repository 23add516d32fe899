"""Reading a stream as a log: in order, without acknowledgement, without a gap, for ever.

An ephemeral pull consumer is asked for more only as what came before is taken, so that a slow reader is never
overrun. Every message's stream sequence is checked; a lost connection or a silent server means a new consumer at the
next sequence.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from jetstream import headers
from jetstream.api import ApiError, call
from octonet.kernel.errors import Unavailable
from octonet.kernel.log import LogGap, Recorded

log = logging.getLogger("octonet.nats")

_PULL = 512
_PULL_BYTES = 32 * 1024 * 1024
_EXPIRES = 60.0
_HEARTBEAT = 2.0
_NANO = 1_000_000_000
_LOOK = 0.5
_RETRY = 0.2
_V1_TOKENS = 9


class _State(msgspec.Struct, frozen=True):
    first_seq: int
    last_seq: int


class _Info(msgspec.Struct, frozen=True):
    state: _State


class _Consumer(msgspec.Struct, frozen=True):
    name: str


_info = msgspec.json.Decoder(_Info)
_consumer = msgspec.json.Decoder(_Consumer)


class StreamReader:
    """Reads one stream; every call of `read` is a reader of its own."""

    def __init__(self, client: Client, stream: str) -> None:
        self._client = client
        self._stream = stream

    async def last(self) -> int:
        """The last sequence stored, as the stream's leader says; 0 for an empty stream."""
        return _info.decode(await self._call(f"STREAM.INFO.{self._stream}")).state.last_seq

    async def read(self, after: int, until: int | None = None) -> AsyncIterator[list[Recorded]]:
        """See `kernel.log.Stream.read`."""
        position = after
        while until is None or position < until:
            tail = _Tail(self._client, self._stream, position)
            try:
                await tail.open()
                while until is None or position < until:
                    batch = await tail.take(until)
                    position = batch[-1].sequence
                    yield batch
            except (_Silent, Unavailable, NatsError) as problem:
                log.info("reading %s again from %d: %s", self._stream, position + 1, problem or type(problem).__name__)
                await asyncio.sleep(_RETRY)
            finally:
                await tail.close()

    async def _call(self, subject: str) -> bytes:
        try:
            return await call(self._client, subject)
        except ApiError as problem:
            raise Unavailable(f"{subject}: {problem}") from problem


class _Silent(Exception):
    """The server stopped sending even heartbeats, or told us that the consumer is gone."""


class _Tail:
    """One ephemeral consumer and what it has delivered but nobody has taken yet."""

    def __init__(self, client: Client, stream: str, position: int) -> None:
        self._client = client
        self._stream = stream
        self._position = position
        self._buffer: deque[Recorded] = deque()
        self._outstanding = 0
        self._name = ""
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._wake: asyncio.Future[None] | None = None
        self._broken: Exception | None = None
        self._heard = 0.0
        self._connections = client.stats["reconnects"]
        self._loop = asyncio.get_running_loop()

    async def open(self) -> None:
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(
            self._inbox, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        config = {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._position + 1,
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": 30 * _NANO,
        }
        try:
            body = await call(
                self._client,
                f"CONSUMER.CREATE.{self._stream}",
                {"stream_name": self._stream, "config": config},
            )
        except ApiError as problem:
            raise Unavailable(f"no consumer on {self._stream}: {problem}") from problem
        self._name = _consumer.decode(body).name
        self._heard = self._loop.time()
        await self._pull()

    async def take(self, until: int | None) -> list[Recorded]:
        """What has arrived, waiting for at least one message."""
        while not self._buffer:
            if self._broken is not None:
                raise self._broken
            await self._wait()
        if until is not None and self._buffer[-1].sequence > until:
            batch = [message for message in self._buffer if message.sequence <= until]
        else:
            batch = list(self._buffer)
        self._buffer.clear()
        self._outstanding -= len(batch)
        if self._outstanding <= _PULL // 2 and (until is None or batch[-1].sequence < until):
            await self._pull()
        return batch

    async def _wait(self) -> None:
        """Wait for a message, at most for a moment: a consumer that another connection made is gone with it."""
        self._wake = self._loop.create_future()
        try:
            await asyncio.wait_for(self._wake, _LOOK)
        except TimeoutError:
            if self._client.stats["reconnects"] != self._connections:
                raise _Silent("the connection was lost meanwhile") from None
            if self._loop.time() - self._heard > 2 * _HEARTBEAT:
                raise _Silent(f"nothing heard for {2 * _HEARTBEAT} s") from None
        finally:
            self._wake = None

    async def _pull(self) -> None:
        wanted = _PULL - self._outstanding
        self._outstanding += wanted
        request = {
            "batch": wanted,
            "max_bytes": _PULL_BYTES,
            "expires": int(_EXPIRES * _NANO),
            "idle_heartbeat": int(_HEARTBEAT * _NANO),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._client.publish(subject, msgspec.json.encode(request), reply=self._inbox)

    async def _on_message(self, message: Msg) -> None:
        self._heard = self._loop.time()
        if message.headers and headers.STATUS in message.headers and not message.reply.startswith("$JS.ACK"):
            await self._on_status(message.headers)
            return
        sequence = _sequence(message.reply)
        if sequence == self._position + 1:
            self._position = sequence
            self._buffer.append(Recorded(sequence, message.data))
        elif sequence > self._position:
            self._broken = LogGap(
                f"message {self._position + 1} of stream {self._stream} is missing, {sequence} came instead"
            )
        self._stir()

    async def _on_status(self, found: dict[str, str]) -> None:
        status = found[headers.STATUS]
        if status == "100":
            return
        if status in ("404", "408", "409") and headers.PENDING_MESSAGES in found:
            # The pull ran out of time or room: what it still owed will not come.
            self._outstanding -= int(found[headers.PENDING_MESSAGES])
            if self._outstanding <= _PULL // 2 and not self._buffer:
                await self._pull()
            return
        self._broken = _Silent(f"status {status} {found.get('Description', '')}")
        self._stir()

    def _stir(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def close(self) -> None:
        if self._subscription is None or self._client.is_closed:
            return
        try:
            await self._subscription.unsubscribe()
            if self._name and self._client.is_connected:
                await self._client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")
        except NatsError as problem:
            # The consumer expires by itself; only the courtesy of removing it failed.
            log.debug("leaving consumer %s to expire: %s", self._name, problem)


def _sequence(reply: str) -> int:
    """The stream sequence in an acknowledgement subject: version 1 has nine tokens, version 2 has two more in front."""
    tokens = reply.split(".")
    return int(tokens[5] if len(tokens) == _V1_TOKENS else tokens[7])
