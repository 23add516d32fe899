"""The wishes of a project: frames of commands on their stream."""

from __future__ import annotations

import asyncio
import logging

from nats.aio.client import Client
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import STREAM_FULL, ApiError, call, publish
from jetstream.reader import StreamReader
from octonet.kernel.errors import Exhausted, OutcomeUnknown, Unavailable
from octonet.kernel.ids import ProjectName, Sequence

log = logging.getLogger("octonet.nats")

_ATTEMPTS = 3
_TIMEOUT = 4.0


class JetStreamCommands(StreamReader):
    """Implements `kernel.log.CommandStream`."""

    def __init__(self, client: Client, project: ProjectName) -> None:
        super().__init__(client, subjects.commands_stream(project))
        self._subject = subjects.commands(project)
        self.largest = client.max_payload - 1024

    async def publish(self, frame: bytes, frame_id: str) -> Sequence:
        """See the port. A frame whose fate is unknown is sent again under the same id: the stream stores it once."""
        found = {headers.MESSAGE_ID: frame_id}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return Sequence((await publish(self._client, self._subject, frame, found, _TIMEOUT)).seq)
            except ApiError as problem:
                if problem.code in STREAM_FULL:
                    raise Exhausted(f"the command stream is full: {problem}", code="COMMANDS_FULL") from problem
                raise Unavailable(f"the command was not recorded: {problem}") from problem
            except (NatsError, TimeoutError) as problem:
                if attempt == _ATTEMPTS:
                    raise OutcomeUnknown(
                        "the command could not be recorded for certain: ask for its outcome, or send it again with "
                        "the same idempotency key"
                    ) from problem
                await asyncio.sleep(0.1 * attempt)
        raise AssertionError("unreachable")

    async def forget(self, through: int) -> None:
        """See the port."""
        try:
            await call(self._client, f"STREAM.PURGE.{self._stream}", {"seq": through + 1})
        except (ApiError, Unavailable) as problem:
            log.info("decided frames of %s stay for now: %s", self._stream, problem)
