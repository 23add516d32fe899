"""Connecting to NATS, with the settings that a server of record needs instead of the client's defaults."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError

from jetstream.endpoint import Endpoint
from octonet.kernel.errors import Unavailable

log = logging.getLogger("octonet.nats")

MINIMUM_SERVER: Final = (2, 15, 1)
_PATIENCE: Final = 2.0
"""Seconds without an acknowledgement after which a server is left for another one."""
_NO_RESPONDERS: Final = b"NATS/1.0 503"
REACHED_WITHIN = 10.0
"""Seconds for the first connection: a server that starts at the same time gets its chance."""


Receive: TypeAlias = Callable[[bytes, bytes, bytes], None]
"""Takes a message: its reply subject, its headers as they came (empty where there are none), its body."""


class Connection(Client):
    """The client, with a short way for what the lane does thousands of times a second.

    The client's own way to a subscriber is a message object, a queue and a task; its way to the socket another queue
    and another task; its `request` adds a timer and two futures. A message of ours is handed to a plain function, what
    is sent goes out on the next turn of the loop, and all acknowledgements share one inbox.
    """

    def __init__(self) -> None:
        super().__init__()
        self._direct: dict[int, Receive] = {}
        self._acks: dict[bytes, asyncio.Future[bytes]] = {}
        self._ack_inbox = b""
        self._ack_sid = 0
        self._asked = 0
        self._failing_since: float | None = None
        self._scheduled = False

    async def open_inbox(self) -> None:
        """Make ready for `acknowledged`."""
        inbox = self.new_inbox()
        self._ack_inbox = inbox.encode() + b"."
        subscription = await self.subscribe(f"{inbox}.*")
        self._ack_sid = subscription._id

    async def listen(self, subject: str, receive: Receive) -> Subscription:
        """Hand every message on a subject to a function that returns at once."""
        subscription = await self.subscribe(subject)
        self._direct[subscription._id] = receive
        return subscription

    async def close(self) -> None:
        """End the connection, whatever is left of it."""
        try:
            await super().close()
        except RuntimeError as problem:
            log.debug("NATS: the connection was gone already: %s", problem)

    async def leave(self, subscription: Subscription) -> None:
        """Stop listening. Never raises: with the connection gone, so is the subscription."""
        self._direct.pop(subscription._id, None)
        try:
            await subscription.unsubscribe()
        except (NatsError, ValueError) as problem:
            log.debug("unsubscribing: %s", problem)

    def send(self, commands: bytes) -> None:
        """Send protocol commands (``PUB …``) as they are, on the next turn of the loop. Raises
        `ConnectionClosedError` when there is no connection."""
        if not self.is_connected:
            raise ConnectionClosedError
        self._pending.append(commands)
        self._pending_data_size += len(commands)
        self._write_soon()

    async def acknowledged(self, commands: Callable[[bytes], bytes], timeout: float) -> bytes:
        """Send the commands that are made for a reply subject; the body of the answer to it. Raises `TimeoutError`
        after `timeout` seconds, `NoRespondersError`, `ConnectionClosedError`."""
        self._asked += 1
        token = b"%x" % self._asked
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()
        self._acks[token] = future
        timer, asked = loop.call_later(timeout, _expire, future), loop.time()
        try:
            self.send(commands(self._ack_inbox + token))
            # At once: whoever waits for an answer may have work to do meanwhile.
            self._write_out()
            body = await future
            self._failing_since = None
            return body
        except (TimeoutError, NoRespondersError):
            await self._suspect(asked)
            raise
        finally:
            timer.cancel()
            self._acks.pop(token, None)

    async def _suspect(self, asked: float) -> None:
        """A server that is cut off from its cluster, or frozen, keeps its clients and serves none of them: after a
        while without any success another one is tried."""
        now = asyncio.get_running_loop().time()
        if self._failing_since is None:
            self._failing_since = asked
        if now - self._failing_since > _PATIENCE and len(self._server_pool) > 1:
            self._failing_since = None
            log.warning("NATS: nothing is acknowledged for %g s, trying another server", _PATIENCE)
            await self.force_reconnect()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if sid == self._ack_sid:
            self._acknowledge(subject, data, headers)
        elif sid in self._direct:
            self._direct[sid](reply, headers or b"", data)
        else:
            await super()._process_msg(sid, subject, reply, data, headers)

    def _acknowledge(self, subject: bytes, data: bytes, headers: bytes | None) -> None:
        future = self._acks.get(bytes(subject[len(self._ack_inbox) :]))
        if future is None or future.done():
            return
        if headers and headers.startswith(_NO_RESPONDERS):
            future.set_exception(NoRespondersError())
        else:
            future.set_result(data)

    async def _flush_pending(self, force_flush: bool = False) -> None:
        if force_flush:
            await super()._flush_pending(force_flush=True)
        else:
            self._write_soon()

    def _write_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._write_scheduled)

    def _write_scheduled(self) -> None:
        self._scheduled = False
        self._write_out()

    def _write_out(self) -> None:
        if self._pending and self.is_connected and self._transport is not None:
            commands, self._pending, self._pending_data_size = self._pending, [], 0
            try:
                self._transport.writelines(commands)
            except RuntimeError as problem:
                # The socket is gone and the client does not know yet. Nothing of this must be sent later, by a new one.
                log.debug("NATS: not sent: %s", problem)


def _expire(future: asyncio.Future[bytes]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


def command(subject: str, reply: bytes, body: bytes, headers: bytes = b"") -> bytes:
    """One message as a protocol command; `headers` are whole lines."""
    if not headers:
        return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply, len(body), body)
    head = b"NATS/1.0\r\n%b\r\n" % headers
    return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject.encode(), reply, len(head), len(head) + len(body), head, body)


async def connect(endpoint: Endpoint, name: str = "octonet") -> Connection:
    """A connection that reconnects for ever. Raises `Unavailable` when the server cannot be reached, or is too old:
    older servers ignore features silently, so the version is checked."""
    client = Connection()
    last: list[Exception] = []

    async def on_error(problem: Exception) -> None:
        last[:] = [problem]
        await _on_error(problem)

    try:
        # What reconnects for ever would try a wrong address for ever, too.
        async with asyncio.timeout(REACHED_WITHIN):
            await client.connect(
                servers=[url.strip() for url in endpoint.url.split(",")],
                user=endpoint.user or None,
                password=endpoint.password or None,
                name=name,
                inbox_prefix=endpoint.inbox,
                connect_timeout=2,
                # A server of record waits for its log; it never gives up on it.
                max_reconnect_attempts=-1,
                # A frozen server is noticed within ten seconds instead of four minutes.
                ping_interval=5,
                max_outstanding_pings=2,
                # What is published while disconnected must fail at once, not be stored later as a ghost.
                pending_size=-1,
                # Every subject is spelled by `subjects` from checked names.
                skip_subject_validation=True,
                error_cb=on_error,
                disconnected_cb=_on_disconnect,
                reconnected_cb=_on_reconnect,
            )
    except (NatsError, OSError, TimeoutError) as problem:
        await client.close()
        reason = last[-1] if last and isinstance(problem, TimeoutError) else problem
        raise Unavailable(f"cannot connect to NATS at {endpoint.url}: {reason or 'no answer'}") from problem
    # Below the whole seconds that its signature knows.
    client.options["reconnect_time_wait"] = 0.2
    await _check_version(client, endpoint)
    await client.open_inbox()
    return client


async def _check_version(client: Connection, endpoint: Endpoint) -> None:
    version = client.connected_server_version
    found = (version.major, version.minor, version.patch)
    if found < MINIMUM_SERVER:
        await client.close()
        told, wanted = (".".join(map(str, parts)) for parts in (found, MINIMUM_SERVER))
        raise Unavailable(
            f"nats-server at {endpoint.url} is version {told}; Octonet needs {wanted} or newer, because older servers "
            "ignore the settings that keep the log safe",
            code="NATS_UNSUITABLE",
        )


async def _on_error(problem: Exception) -> None:
    log.warning("NATS: %s", problem or type(problem).__name__)


async def _on_disconnect() -> None:
    log.info("NATS: disconnected")


async def _on_reconnect() -> None:
    log.info("NATS: reconnected")
