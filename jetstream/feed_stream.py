"""The public facts of a project on `mostajs.<Entity>.<fact>`."""

from __future__ import annotations

import base64

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import NO_SUCH_MESSAGE, WRONG_LAST_SEQUENCE, ApiError, call, decode_ack, publish
from octonet.kernel.errors import Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.log import AppendDoubtful, FeedMessage, LogGap, WrongSequence
from octonet.kernel.position import START, Position, decode

_TIMEOUT = 10.0
LARGEST_BATCH = 1000
"""Messages an atomic batch may hold: the server's limit."""


class _Message(msgspec.Struct, frozen=True):
    seq: int
    hdrs: str = ""


class _Got(msgspec.Struct, frozen=True):
    message: _Message


_got = msgspec.json.Decoder(_Got)


class JetStreamFeed:
    """Implements `kernel.log.FeedStream`."""

    def __init__(self, client: Client, project: ProjectName) -> None:
        self._client = client
        self._project = project
        self._stream = subjects.feed_stream(project)
        self._batches = 0

    async def position(self) -> tuple[int, Position]:
        """See the port: the last message's header says how far the feed got."""
        last = _StreamInfo.last(await self._info())
        if last == 0:
            return 0, START
        try:
            body = await call(self._client, f"STREAM.MSG.GET.{self._stream}", {"seq": last})
        except ApiError as problem:
            if problem.code == NO_SUCH_MESSAGE:
                raise LogGap(f"the last message of {self._stream} is missing") from problem
            raise Unavailable(f"the feed cannot be read: {problem}") from problem
        raw = base64.b64decode(_got.decode(body).message.hdrs).decode()
        for line in raw.split("\r\n"):
            name, _, value = line.partition(":")
            if name == headers.POSITION:
                return last, decode(self._project, value.strip())
        raise LogGap(f"the last message of {self._stream} carries no position: it is not ours")

    async def publish(self, messages: list[FeedMessage], after: int) -> int:
        """See the port: one message by compare-and-set, several as one atomic batch."""
        try:
            if len(messages) == 1:
                only = messages[0]
                found = only.headers | {headers.EXPECTED_LAST_SEQUENCE: str(after)}
                return (await publish(self._client, only.subject, only.body, found, _TIMEOUT)).seq
            return await self._publish_batch(messages, after)
        except ApiError as problem:
            if problem.code in WRONG_LAST_SEQUENCE:
                raise WrongSequence(str(problem)) from problem
            raise AppendDoubtful(str(problem)) from problem
        except (NatsError, TimeoutError) as problem:
            raise AppendDoubtful(f"no acknowledgement: {problem or type(problem).__name__}") from problem

    async def _publish_batch(self, messages: list[FeedMessage], after: int) -> int:
        self._batches += 1
        batch = f"{self._client.client_id}-{after}-{self._batches}"
        for number, message in enumerate(messages, 1):
            found = message.headers
            found[headers.BATCH_ID] = batch
            found[headers.BATCH_SEQUENCE] = str(number)
            if number == 1:
                found[headers.EXPECTED_LAST_SEQUENCE] = str(after)
            if number < len(messages):
                await self._client.publish(message.subject, message.body, headers=found)
        last = messages[-1]
        last.headers[headers.BATCH_COMMIT] = "1"
        reply = await self._client.request(last.subject, last.body, timeout=_TIMEOUT, headers=last.headers)
        ack = decode_ack(reply.data)
        if ack.error is not None:
            raise ApiError(ack.error)
        return ack.seq

    async def _info(self) -> bytes:
        try:
            return await call(self._client, f"STREAM.INFO.{self._stream}")
        except ApiError as problem:
            raise Unavailable(f"the feed's stream is not there: {problem}") from problem


class _State(msgspec.Struct, frozen=True):
    last_seq: int


class _StreamInfo(msgspec.Struct, frozen=True):
    state: _State

    @staticmethod
    def last(body: bytes) -> int:
        return msgspec.json.decode(body, type=_StreamInfo).state.last_seq
