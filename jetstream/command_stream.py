"""The wishes of a project: frames of commands on their stream."""

from __future__ import annotations

import asyncio
import logging

from nats.errors import Error as NatsError

from jetstream import subjects
from jetstream.api import ApiError, call, publish
from jetstream.connection import Connection
from jetstream.reader import StreamReader
from octonet.kernel.errors import NoRoom, OutcomeUnknown, Unavailable
from octonet.kernel.ids import ProjectName, Sequence

log = logging.getLogger("octonet.nats")

_ATTEMPTS = 3
_TIMEOUT = 4.0


class JetStreamCommands(StreamReader):
    """Implements `kernel.log.CommandStream`."""

    def __init__(self, client: Connection, project: ProjectName) -> None:
        super().__init__(client, subjects.commands_stream(project))
        self._subject = subjects.commands(project)
        self.largest = client.max_payload - 1024

    async def publish(self, frame: bytes) -> Sequence:
        """See the port. A frame whose fate is unknown is sent again; should both be stored, the inbox knows the
        commands of the second."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return Sequence((await publish(self._client, self._subject, frame, {}, _TIMEOUT)).seq)
            except ApiError as problem:
                if problem.no_room:
                    raise NoRoom(
                        f"nothing can be written at the moment, there is no room for new commands: {problem}. Nothing "
                        "was recorded; send it again later"
                    ) from problem
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
