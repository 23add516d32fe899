"""Outcomes on their way to the process whose clients wait for them: one packed message per batch."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.connection import Connection
from octonet.kernel.log import Outcome

log = logging.getLogger("octonet.nats")

_decoder = msgspec.msgpack.Decoder(list[Outcome])
_encoder = msgspec.msgpack.Encoder()


class NatsReplies:
    """Implements `kernel.log.Replies`. What is lost is asked for again by whoever waits."""

    def __init__(self, client: Connection, process: str) -> None:
        self._client = client
        self._largest = client.max_payload
        self.subject = subjects.replies(process)
        self._subscription: Subscription | None = None

    async def listen(self, deliver: Callable[[list[Outcome]], None]) -> None:
        """Hand every outcome that is sent to this process to `deliver`."""

        async def on_message(message: Msg) -> None:
            deliver(_decoder.decode(message.data))

        self._subscription = await self._client.subscribe(self.subject, cb=on_message)

    async def close(self) -> None:
        """Listen no longer. Never raises: with the connection gone, so is the subscription."""
        if self._subscription is not None:
            await self._client.leave(self._subscription)

    async def send(self, subject: str, outcomes: list[Outcome]) -> None:
        """See the port."""
        body = _encoder.encode(outcomes)
        if len(body) > self._largest and len(outcomes) > 1:
            middle = len(outcomes) // 2
            await self.send(subject, outcomes[:middle])
            await self.send(subject, outcomes[middle:])
            return
        try:
            await self._client.publish(subject, body)
        except NatsError as problem:
            log.info("outcomes for %s were not sent: %s", subject, problem)
