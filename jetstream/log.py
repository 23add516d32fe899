"""The truth of a project: its log, appended to by compare-and-set."""

from __future__ import annotations

import msgspec
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import WRONG_LAST_SEQUENCE, ApiError, publish
from jetstream.connection import Connection
from jetstream.reader import StreamReader
from octonet.kernel.errors import NoRoom
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso
from octonet.kernel.log import AppendDoubtful, LogGap, WrongSequence

_TIMEOUT = 4.0
_ASKED_ONCE = 1_000_000_000
"""Nanoseconds after which the server forgets a consumer that nobody reads from."""


class _Delivered(msgspec.Struct, frozen=True):
    stream: int = msgspec.field(name="stream_seq")


class _Found(msgspec.Struct, frozen=True):
    delivered: _Delivered


_found = msgspec.json.Decoder(_Found)


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

    async def stored_since(self, moment: int) -> int:
        """The first sequence that was stored at this time or later, in milliseconds since 1970; the next one when none
        was. Raises `Unavailable`."""
        config = {
            "deliver_policy": "by_start_time",
            "opt_start_time": iso(max(0, moment)),
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _ASKED_ONCE,
        }
        body = await self._call(f"CONSUMER.CREATE.{self._stream}", {"stream_name": self._stream, "config": config})
        # The server says where it would begin; nothing is ever read there.
        return _found.decode(body).delivered.stream + 1

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
