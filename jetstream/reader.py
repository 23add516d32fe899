"""Reading a stream as a log: in order, without acknowledgement, without a gap, for ever.

An ephemeral pull consumer is asked for more only as what came before is taken, so that a slow reader is never
overrun. Every message's stream sequence is checked; a lost connection or a silent server means a new consumer at the
next sequence. A consumer reads the copy of the server it happens to be on: what that copy lacks is looked for in the
others (ADR-0020).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable

import msgspec
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from jetstream import headers
from jetstream.api import NO_SUCH_MESSAGE, ApiError, Config, call
from jetstream.connection import Connection, command
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
_PATIENCE = 2.0
"""Seconds between two looks for a copy that is not known to lack what is wanted."""
_V1_TOKENS = 9
_TRIES = 24
"""Consumers that are made for one on the right server: the cluster puts each on any server that holds a copy."""
_LAST_STREAM = re.compile(rf"\r\n{headers.LAST_STREAM}: *(\d+)", re.IGNORECASE)
_PENDING = re.compile(rf"\r\n{headers.PENDING_MESSAGES}: *(\d+)", re.IGNORECASE)


class State(msgspec.Struct, frozen=True):
    """What a stream's leader says of it: its first and last sequence, both 0 before the first message, the messages
    it holds, and those missing in between."""

    messages: int
    first: int = msgspec.field(name="first_seq")
    last: int = msgspec.field(name="last_seq")
    deleted: int = msgspec.field(name="num_deleted", default=0)
    bytes: int = 0


class Peer(msgspec.Struct, frozen=True):
    """A server that follows the stream's leader, as the leader sees it; `lag` in operations."""

    name: str
    current: bool = True
    offline: bool = False
    lag: int = 0


class Group(msgspec.Struct, frozen=True):
    """The servers that hold a copy each: the leader, empty while there is none, and those that follow it."""

    leader: str = ""
    replicas: tuple[Peer, ...] = ()

    @property
    def servers(self) -> list[str]:
        """All of them by name, the leader first."""
        return [name for name in (self.leader, *(peer.name for peer in self.replicas)) if name]


class Info(msgspec.Struct, frozen=True):
    """A stream's own account of itself."""

    state: State
    cluster: Group = Group()


class _Host(msgspec.Struct, frozen=True):
    leader: str = ""


class _Consumer(msgspec.Struct, frozen=True):
    name: str
    cluster: _Host = _Host()


_info = msgspec.json.Decoder(Info)
_consumer = msgspec.json.Decoder(_Consumer)


class StreamReader:
    """Reads one stream; every call of `read` is a reader of its own."""

    def __init__(self, client: Connection, stream: str) -> None:
        self._client = client
        self._stream = stream

    @property
    def name(self) -> str:
        """The stream's."""
        return self._stream

    async def last(self) -> int:
        """The last sequence stored, as the stream's leader says; 0 for an empty stream."""
        return (await self.state()).last

    async def state(self) -> State:
        """The stream's own account of itself. Raises `Unavailable`."""
        return (await self.info()).state

    async def info(self) -> Info:
        """The same, with the servers that hold its copies. Raises `Unavailable`."""
        return _info.decode(await self._call(f"STREAM.INFO.{self._stream}"))

    async def read(self, after: int, until: int | None = None) -> AsyncGenerator[list[Recorded], None]:
        """See `kernel.log.Stream.read`."""
        position, looked_for = after, 0
        lacking: set[str] = set()
        while until is None or position < until:
            tail = Tail(self._client, self._stream, position, until, lambda host: host not in lacking)
            try:
                await tail.open()
                while until is None or position < until:
                    batch = await tail.take()
                    position = batch[-1].sequence
                    yield batch
            except Passed as passed:
                # What is there and does not come a second time either cannot be read, in this copy.
                if passed.expected == looked_for or await self._is_missing(passed.expected):
                    lacking.add(tail.host)
                    if not tail.host or not set((await self._group()).servers) - lacking:
                        raise LogGap(passed.sentence(self._stream)) from None
                    log.error("%s, on server %s", passed.sentence(self._stream), tail.host)
                else:
                    lacking.clear()
                    log.info("reading %s again from %d: it was lost on the way", self._stream, position + 1)
                looked_for = passed.expected
            except NoCopy as problem:
                log.error("message %d of %s: %s; waiting for another", looked_for, self._stream, problem)
                await asyncio.sleep(_PATIENCE)
            except (Silent, Unavailable, NatsError) as problem:
                log.info("reading %s again from %d: %s", self._stream, position + 1, problem or type(problem).__name__)
                await asyncio.sleep(_RETRY)
            finally:
                await tail.close()

    async def _group(self) -> Group:
        """Those that hold copies: waits for an answer."""
        while True:
            try:
                return (await self.info()).cluster
            except Unavailable as problem:
                log.info("looking for the copies of %s again: %s", self._stream, problem)
                await asyncio.sleep(_RETRY)

    async def _is_missing(self, sequence: int) -> bool:
        """Whether the stream itself lacks a message that did not come: a connection that broke and was made anew may
        have let it fall, and then the next one comes to the same inbox."""
        while True:
            try:
                await call(self._client, f"STREAM.MSG.GET.{self._stream}", {"seq": sequence})
            except ApiError as problem:
                if problem.code == NO_SUCH_MESSAGE:
                    return True
                log.info("looking for %d in %s again: %s", sequence, self._stream, problem)
            except Unavailable as problem:
                log.info("looking for %d in %s again: %s", sequence, self._stream, problem)
            else:
                return False
            await asyncio.sleep(_RETRY)

    async def _call(self, subject: str, body: Config | None = None) -> bytes:
        try:
            return await call(self._client, subject, body)
        except ApiError as problem:
            raise Unavailable(f"{subject}: {problem}") from problem


class Silent(Exception):
    """The server stopped sending even heartbeats, or told us that the consumer is gone."""


class Passed(Exception):
    """A message was passed over: `found` came, or was said to be behind it, instead of `expected`."""

    def __init__(self, expected: int, found: int, came: bool) -> None:
        super().__init__(f"{found} instead of {expected}")
        self.expected = expected
        self._found = found
        self._came = came

    def sentence(self, stream: str) -> str:
        """What is missing."""
        instead = f"{self._found} came instead" if self._came else f"nothing came up to {self._found}"
        return f"message {self.expected} of stream {stream} is missing, {instead}"


class NoCopy(Exception):
    """No server that is wanted holds a copy that can be read."""


class Tail:
    """One ephemeral consumer and what it has delivered but nobody has taken yet; nothing after `until` is asked for.

    `wanted` says which servers may be read from, by name. `bodiless`: bodies stay where they are; the server reads and
    checks the whole message all the same. `host` is the server that it reads from, empty when that is the only one.
    """

    def __init__(
        self,
        client: Connection,
        stream: str,
        position: int,
        until: int | None,
        wanted: Callable[[str], bool] = lambda host: True,
        bodiless: bool = False,
    ) -> None:
        self._client = client
        self._stream = stream
        self._position = self._taken = position
        self._until = until
        self._wanted = wanted
        self._bodiless = bodiless
        self.host = ""
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
        self._subscription = await self._client.listen(self._inbox, self._on_message)
        config = {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._position + 1,
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": 30 * _NANO,
            "headers_only": self._bodiless,
        }
        for _ in range(_TRIES):
            await self._make(config)
            if self._wanted(self.host):
                break
            await self._unmake()
        else:
            raise NoCopy(f"no consumer on {self._stream} came to a server that was wanted")
        self._heard = self._loop.time()
        self._pull()

    async def _make(self, config: Config) -> None:
        try:
            body = await call(
                self._client,
                f"CONSUMER.CREATE.{self._stream}",
                {"stream_name": self._stream, "config": config},
            )
        except ApiError as problem:
            raise Unavailable(f"no consumer on {self._stream}: {problem}") from problem
        made = _consumer.decode(body)
        self._name, self.host = made.name, made.cluster.leader

    async def _unmake(self) -> None:
        await self._client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")

    async def take(self) -> list[Recorded]:
        """What has arrived, waiting for at least one message."""
        while not self._buffer:
            if self._broken is not None:
                raise self._broken
            await self._wait()
        batch = list(self._buffer)
        self._buffer.clear()
        self._taken = batch[-1].sequence
        self._outstanding -= len(batch)
        if self._outstanding <= _PULL // 2:
            self._pull()
        return batch

    async def _wait(self) -> None:
        """Wait for a message, at most for a moment: a consumer that another connection made is gone with it."""
        self._wake = self._loop.create_future()
        look = self._loop.call_later(_LOOK, self._stir)
        try:
            await self._wake
        finally:
            look.cancel()
            self._wake = None
        if not self._buffer and self._broken is None:
            if self._client.stats["reconnects"] != self._connections:
                raise Silent("the connection was lost meanwhile")
            if self._loop.time() - self._heard > 2 * _HEARTBEAT:
                raise Silent(f"nothing heard for {2 * _HEARTBEAT} s")

    def _pull(self) -> None:
        wanted = _PULL - self._outstanding
        if self._until is not None:
            wanted = min(wanted, self._until - self._taken - self._outstanding)
        if wanted <= 0:
            return
        self._outstanding += wanted
        request = {
            "batch": wanted,
            "max_bytes": _PULL_BYTES,
            "expires": int(_EXPIRES * _NANO),
            "idle_heartbeat": int(_HEARTBEAT * _NANO),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        self._client.send(command(subject, self._inbox.encode(), msgspec.json.encode(request)))

    def _on_message(self, reply: bytes, head: bytes, body: bytes) -> None:
        self._heard = self._loop.time()
        if not reply.startswith(b"$JS.ACK"):
            self._on_status(head.decode("utf-8", "replace"))
            return
        sequence = _sequence(reply)
        if sequence == self._position + 1:
            self._position = sequence
            self._buffer.append(Recorded(sequence, body))
        elif sequence > self._position:
            self._broken = self._broken or Passed(self._position + 1, sequence, came=True)
        self._stir()

    def _on_status(self, head: str) -> None:
        """A message of the server itself: ``NATS/1.0 <status> <description>`` and header lines."""
        status, _, description = head.partition("\r\n")[0].removeprefix("NATS/1.0 ").partition(" ")
        if status == "100":
            self._on_heartbeat(head)
            return
        owed = _PENDING.search(head)
        if status in ("404", "408", "409") and owed is not None:
            # The pull ran out of time or room: what it still owed will not come.
            self._outstanding -= int(owed[1])
            if self._outstanding <= _PULL // 2 and not self._buffer and self._client.is_connected:
                self._pull()
            return
        self._broken = Silent(f"status {status} {description}")
        self._stir()

    def _on_heartbeat(self, head: str) -> None:
        """It says how far the consumer is, in order with what it delivers: what it has passed over is not there."""
        passed = _LAST_STREAM.search(head)
        if passed is not None and int(passed[1]) > self._position:
            self._broken = self._broken or Passed(self._position + 1, int(passed[1]), came=False)
            self._stir()

    def _stir(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def close(self) -> None:
        if self._subscription is None or self._client.is_closed:
            return
        try:
            await self._client.leave(self._subscription)
            if self._name and self._client.is_connected:
                await self._unmake()
        except NatsError as problem:
            # The consumer expires by itself; only the courtesy of removing it failed.
            log.debug("leaving consumer %s to expire: %s", self._name, problem)


def _sequence(reply: bytes) -> int:
    """The stream sequence in an acknowledgement subject: version 1 has nine tokens, version 2 has two more in front."""
    tokens = reply.split(b".")
    return int(tokens[5] if len(tokens) == _V1_TOKENS else tokens[7])
