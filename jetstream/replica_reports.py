"""What followers say of their replicas, to all processes: at most once, for it is said again soon."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.connection import Connection
from octonet.kernel.replica import Report

log = logging.getLogger("octonet.nats")

_decoder = msgspec.json.Decoder(Report)
_encode = msgspec.json.Encoder().encode


class ReplicaReports:
    """Says and hears them."""

    def __init__(self, client: Connection) -> None:
        self._client = client
        self._subscription: Subscription | None = None

    async def listen(self, hear: Callable[[Report], None]) -> None:
        """Hand every report to `hear`, those of this process too."""

        async def on_message(message: Msg) -> None:
            try:
                report = _decoder.decode(message.data)
            except msgspec.DecodeError as problem:
                # A process of another build may say it otherwise.
                log.info("a report of a replica cannot be read: %s", problem)
            else:
                hear(report)

        self._subscription = await self._client.subscribe(subjects.REPLICAS, cb=on_message)

    async def tell(self, report: Report) -> None:
        """Say it. Never raises."""
        try:
            await self._client.publish(subjects.replica(report.id), _encode(report))
        except NatsError as problem:
            log.debug("the report of a replica was not sent: %s", problem)

    async def close(self) -> None:
        """Listen no longer. Never raises."""
        if self._subscription is not None:
            await self._client.leave(self._subscription)
