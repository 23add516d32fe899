"""Connecting to NATS, with the settings that a server of record needs instead of the client's defaults."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from nats.aio.client import Client, Server
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import Error as NatsError

from jetstream.encryption import check_credentials, client_context
from jetstream.endpoint import Endpoint
from octonet.kernel.errors import Unavailable

log = logging.getLogger("octonet.nats")

MINIMUM_SERVER: Final = (2, 15, 1)
_PATIENCE: Final = 2.0
"""Seconds without an acknowledgement after which a server is left for another one."""
_NO_RESPONDERS: Final = b"NATS/1.0 503"
_CUT_OFF: Final = b'"err_code":10008'
"""In the answers of a server that knows no leader of its cluster: it serves nobody."""
_BETWEEN_TRIES: Final = 0.2
"""Seconds between two tries of a server."""
_DRAINED_WITHIN: Final = 2
REACHED_WITHIN = 10.0
"""Seconds for the first connection: a server that starts at the same time gets its chance."""


Receive: TypeAlias = Callable[[bytes, bytes, bytes], None]
"""Takes a message: its reply subject, its headers as they came (empty where there are none), its body."""

Serve: TypeAlias = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes a request: its subject, its reply subject, its headers as they came, its body."""


class Connection(Client):
    """The client, with a short way for what the lane does thousands of times a second.

    The client's own way to a subscriber is a message object, a queue and a task; its way to the socket another queue
    and another task; its `request` adds a timer and two futures. A message of ours is handed to a plain function, what
    is sent goes out on the next turn of the loop, and all acknowledgements share one inbox.
    """

    def __init__(self, *, encrypted: bool = False) -> None:
        """`encrypted`: nothing is sent before the server speaks TLS."""
        super().__init__()
        self._encrypted = encrypted
        self._direct: dict[int, Receive] = {}
        self._served: dict[int, Serve] = {}
        self._acks: dict[bytes, asyncio.Future[bytes]] = {}
        self._ack_inbox = b""
        self._ack_sid = 0
        self._asked = 0
        self._failing_since: float | None = None
        self._proved = 0.0
        """When something was stored last: more than a server can do that is cut off."""
        self._cut_off = (0.0, 0.0)
        """When a server said first and last that it knows no leader."""
        self._scheduled = False
        self._tried: dict[str, float] = {}
        """Server → when it was tried last."""

    def next_server(self, servers: list[Server], info: dict[str, Any]) -> tuple[Server | None, float]:
        """The server to try when the connection is gone, and the seconds to wait before: the one that was not tried for
        longest, so that one which was left because it serves nobody comes last."""
        now, current = time.monotonic(), self._current_server
        if current is not None:
            self._tried.setdefault(current.uri.netloc, now)
        found = min(servers, key=lambda server: self._tried.get(server.uri.netloc, 0.0))
        wait = max(0.0, self._tried.get(found.uri.netloc, 0.0) + _BETWEEN_TRIES - now)
        self._tried[found.uri.netloc] = now + wait
        return found, wait

    async def open_inbox(self) -> None:
        """Make ready for `acknowledged`."""
        inbox = self.new_inbox()
        self._ack_inbox = inbox.encode() + b"."
        subscription = await self.subscribe(f"{inbox}.*")
        self._ack_sid = subscription._id

    @property
    def own_inboxes(self) -> bytes:
        """What the inboxes of this connection begin with; of all processes, where they have a prefix of their own."""
        prefix = bytes(self._inbox_prefix)
        return self._ack_inbox if prefix == b"_INBOX" else prefix + b"."

    async def listen(self, subject: str, receive: Receive) -> Subscription:
        """Hand every message on a subject to a function that returns at once."""
        subscription = await self.subscribe(subject)
        self._direct[subscription._id] = receive
        return subscription

    async def serve(self, subject: str, serve: Serve, queue: str = "") -> Subscription:
        """The same with the subjects; of those with the same `queue` one takes each message."""
        subscription = await self.subscribe(subject, queue=queue)
        self._served[subscription._id] = serve
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
        await self._unsubscribe(subscription)

    async def drain_served(self) -> None:
        """Serve nothing more. What the server sent before it heard of that is served when this returns."""
        for subscription in [self._subs[id] for id in self._served if id in self._subs]:
            await self._unsubscribe(subscription)
        try:
            await self.flush(_DRAINED_WITHIN)
        except (NatsError, TimeoutError) as problem:
            log.debug("NATS: what is under way is not known: %s", problem)
        self._served.clear()

    async def _unsubscribe(self, subscription: Subscription) -> None:
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

    async def acknowledged(self, commands: Callable[[bytes], bytes], timeout: float, *, stores: bool = True) -> bytes:
        """Send the commands that are made for a reply subject; the body of the answer to it. `stores`: an answer means
        that the cluster is behind the server. Raises `TimeoutError` after `timeout` seconds, `NoRespondersError`,
        `ConnectionClosedError`."""
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
            if _CUT_OFF in body:
                await self._is_cut_off(loop.time())
            elif stores:
                self._failing_since, self._proved = None, loop.time()
            return body
        except (TimeoutError, NoRespondersError):
            await self._suspect(asked)
            raise
        finally:
            timer.cancel()
            self._acks.pop(token, None)

    async def _suspect(self, asked: float) -> None:
        """A server that is cut off from its cluster, or frozen, keeps its clients and stores nothing for them: after a
        while without any success another one is tried."""
        if self._failing_since is None:
            self._failing_since = max(asked, self._proved)
        if asyncio.get_running_loop().time() - self._failing_since > _PATIENCE:
            await self._leave_server()

    async def _is_cut_off(self, now: float) -> None:
        """It says so, and may answer all the same what it knows by itself."""
        first, last = self._cut_off
        self._cut_off = (first if now - last < _PATIENCE else now), now
        if now - self._cut_off[0] > _PATIENCE:
            await self._leave_server()

    async def _leave_server(self) -> None:
        self._failing_since, self._cut_off = None, (0.0, 0.0)
        if len(self._server_pool) > 1:
            log.warning("NATS: nobody is served here for %g s, trying another server", _PATIENCE)
            await self.force_reconnect()

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self._encrypted and initial_connection and not info.get("tls_required"):
            # The client would go on in clear, password and all.
            raise NatsError("the server does not demand TLS, and nothing is sent to it without")
        await super()._process_info(info, initial_connection)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if sid == self._ack_sid:
            self._acknowledge(subject, data, headers)
        elif sid in self._direct:
            self._direct[sid](reply, headers or b"", data)
        elif sid in self._served:
            self._served[sid](subject, reply, headers or b"", data)
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
    older servers ignore features silently, so the version is checked. `Invalid` for files that do not fit."""
    context = client_context(endpoint)
    check_credentials(endpoint)
    client = Connection(encrypted=context is not None)
    last: list[Exception] = []

    async def on_error(problem: Exception) -> None:
        # What a server said before it hung up tells more than that it did.
        if not (last and isinstance(problem, OSError)):
            last[:] = [problem]
        await _on_error(problem)

    try:
        # What reconnects for ever would try a wrong address for ever, too.
        async with asyncio.timeout(REACHED_WITHIN):
            await client.connect(
                servers=[url.strip() for url in endpoint.url.split(",")],
                user=endpoint.user or None,
                password=endpoint.password or None,
                user_credentials=endpoint.credentials or None,
                nkeys_seed=endpoint.nkey or None,
                tls=context,
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
                reconnect_to_server_handler=client.next_server,
                error_cb=on_error,
                disconnected_cb=_on_disconnect,
                reconnected_cb=_on_reconnect,
            )
    except (NatsError, OSError, TimeoutError) as problem:
        await client.close()
        reason = last[-1] if last and isinstance(problem, TimeoutError) else problem
        raise Unavailable(f"cannot connect to NATS at {endpoint.url}: {reason or 'no answer'}") from problem
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
