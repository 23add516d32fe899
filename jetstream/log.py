"""The truth of a project: its log, appended to by compare-and-set."""

from __future__ import annotations

from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import WRONG_LAST_SEQUENCE, ApiError, publish
from jetstream.connection import Connection
from jetstream.reader import StreamReader
from octonet.kernel.errors import NoRoom
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import AppendDoubtful, LogGap, WrongSequence

_TIMEOUT = 4.0


class JetStreamLog(StreamReader):
    """Implements `kernel.log.Log`."""

    def __init__(self, client: Connection, project: ProjectName) -> None:
        super().__init__(client, subjects.log_stream(project))
        self._subject = subjects.log(project)
        self.largest = client.max_payload - 1024

    async def last(self) -> int:
        """See the port. Raises `LogGap` when the stream has lost messages: nobody may delete any."""
        state = await self.state()
        if state.last and (state.first != 1 or state.messages != state.last or state.deleted):
            raise LogGap(
                f"stream {self._stream} holds {state.messages} messages of {state.last}, from sequence {state.first} "
                "on: history is missing"
            )
        return state.last

    async def append(self, body: bytes, after: int) -> int:
        """See the port. There is no message id: compare-and-set alone decides, without a window of time."""
        found = {headers.EXPECTED_LAST_SEQUENCE: str(after)}
        try:
            sequence = (await publish(self._client, self._subject, body, found, _TIMEOUT)).seq
        except ApiError as problem:
            if problem.code in WRONG_LAST_SEQUENCE:
                raise WrongSequence(str(problem)) from problem
            if problem.no_room:
                raise NoRoom(
                    f"the log cannot be written, its stream {self._stream} has no room: {problem}"
                ) from problem
            raise AppendDoubtful(str(problem)) from problem
        except (NatsError, TimeoutError) as problem:
            raise AppendDoubtful(f"no acknowledgement: {problem or type(problem).__name__}") from problem
        if sequence != after + 1:
            raise AppendDoubtful(f"stored at {sequence}, expected {after + 1}")
        return sequence
