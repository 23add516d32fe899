"""The public facts of a project on `mostajs.<Entity>.<fact>`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final

import msgspec
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import NO_SUCH_MESSAGE, WRONG_LAST_SEQUENCE, ApiError, call, decode_ack
from jetstream.connection import Connection
from octonet.kernel.errors import Unavailable
from octonet.kernel.log import AppendDoubtful, FeedMessage, LogGap, WrongSequence
from octonet.kernel.position import START, Position, Positions

_TIMEOUT = 3.0
_EXPECTED: Final = headers.EXPECTED_LAST_SEQUENCE.encode()
_BATCH_ID: Final = headers.BATCH_ID.encode()
_BATCH_SEQUENCE: Final = headers.BATCH_SEQUENCE.encode()
_COMMIT: Final = f"{headers.BATCH_COMMIT}: 1\r\n".encode()


class _Message(msgspec.Struct, frozen=True):
    seq: int
    hdrs: str = ""


class _Got(msgspec.Struct, frozen=True):
    message: _Message


_got = msgspec.json.Decoder(_Got)


class JetStreamFeed:
    """Implements `kernel.log.FeedStream`."""

    def __init__(self, client: Connection, positions: Positions) -> None:
        self._client = client
        self._positions = positions
        self._stream = subjects.feed_stream(positions.project)
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
                return last, self._positions.decode(value.strip())
        raise LogGap(f"the last message of {self._stream} carries no position: it is not ours")

    async def publish(self, messages: list[FeedMessage], after: int) -> int:
        """See the port: one message by compare-and-set, several as one atomic batch."""
        try:
            body = await self._client.acknowledged(
                lambda inbox: b"".join(self._commands(messages, after, inbox)), _TIMEOUT
            )
            return decode_ack(body).seq
        except ApiError as problem:
            if problem.code in WRONG_LAST_SEQUENCE:
                raise WrongSequence(str(problem)) from problem
            raise AppendDoubtful(str(problem)) from problem
        except (NatsError, TimeoutError) as problem:
            raise AppendDoubtful(f"no acknowledgement: {problem or type(problem).__name__}") from problem

    def _commands(self, messages: list[FeedMessage], after: int, inbox: bytes) -> Iterator[bytes]:
        """The messages as protocol commands; the last one asks for the acknowledgement of all."""
        self._batches += 1
        batch = b"%d-%d-%d" % (self._client.client_id or 0, after, self._batches)
        last = len(messages)
        for number, message in enumerate(messages, 1):
            head = b"NATS/1.0\r\n" + message.headers
            if number == 1:
                head += b"%b: %d\r\n" % (_EXPECTED, after)
            if last > 1:
                head += b"%b: %b\r\n%b: %d\r\n" % (_BATCH_ID, batch, _BATCH_SEQUENCE, number)
                if number == last:
                    head += _COMMIT
            head += b"\r\n"
            reply = inbox if number == last else b""
            size = len(head) + len(message.body)
            yield b"HPUB %b %b %d %d\r\n%b%b\r\n" % (message.subject, reply, len(head), size, head, message.body)

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
