"""Connecting to NATS, with the settings that a server of record needs instead of the client's defaults."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError

from jetstream.endpoint import Endpoint
from octonet.kernel.errors import Unavailable

log = logging.getLogger("octonet.nats")

MINIMUM_SERVER: Final = (2, 15, 1)
REACHED_WITHIN = 10.0
"""Seconds for the first connection: a server that starts at the same time gets its chance."""


class Connection(Client):
    """The client, and a way to publish many messages that are encoded already: the client's own `publish` cleans and
    copies every header of every message, which for the feed is more work than everything else about a fact."""

    async def publish_encoded(self, commands: list[bytes]) -> None:
        """Send protocol commands (``HPUB …``) as they are. Raises `ConnectionClosedError` when there is no
        connection."""
        if not self.is_connected or self._flush_queue is None:
            raise ConnectionClosedError
        self.stats["out_msgs"] += len(commands)
        await self._send_command(b"".join(commands))
        if self._flush_queue.empty():
            await self._flush_pending()


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
