"""The frames that a project's lane could not read: put aside by it, looked through by an operator."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import msgspec
from nats.errors import Error as NatsError

from jetstream import headers, subjects
from jetstream.api import NO_SUCH_MESSAGE, NO_SUCH_STREAM, WRONG_LAST_SEQUENCE, ApiError, Config, call, publish
from jetstream.connection import Connection
from jetstream.topology import StreamLimits, dead_letters_stream, ensure
from octonet.kernel.errors import NotFound, Unavailable
from octonet.kernel.ids import ProjectName
from octonet.kernel.instant import iso, milliseconds
from octonet.kernel.log import DeadLetter

_TIMEOUT = 4.0
_LONGEST_REASON = 400


class _Message(msgspec.Struct, frozen=True):
    seq: int
    hdrs: str = ""
    data: str = ""


class _Got(msgspec.Struct, frozen=True):
    message: _Message


_got = msgspec.json.Decoder(_Got)


class JetStreamDeadLetters:
    """Implements `kernel.log.DeadLetters`, and lets an operator look through them."""

    def __init__(self, client: Connection, project: ProjectName, limits: StreamLimits | None = None) -> None:
        self._client = client
        self._project = project
        self._stream = subjects.dead_letters_stream(project)
        self._limits = msgspec.structs.replace(limits or StreamLimits(), largest_message=client.max_payload)

    async def put(self, frame: int, reason: str, at: int, body: bytes) -> None:
        """See the port. Compare-and-set keeps it single for as long as the letter is there, the message id for a while
        after it was dropped."""
        found = {
            headers.EXPECTED_LAST_SUBJECT_SEQUENCE: "0",
            headers.MESSAGE_ID: f"{self._project}-{frame}",
            headers.PROJECT: self._project,
            headers.FRAME: str(frame),
            headers.REASON: _one_line(reason),
            headers.TIME: iso(at),
        }
        try:
            await publish(self._client, subjects.dead_letter(self._project, frame), body, found, _TIMEOUT)
        except ApiError as problem:
            if problem.code not in WRONG_LAST_SEQUENCE:
                raise Unavailable(f"a dead letter was refused: {problem}") from problem
        except (NatsError, TimeoutError) as problem:
            # The stream may have been deleted under us: the next attempt finds one.
            await ensure(self._client, dead_letters_stream(self._project, self._limits))
            raise Unavailable(f"a dead letter was not stored: {problem or type(problem).__name__}") from problem

    async def all(self) -> AsyncIterator[DeadLetter]:
        """Every letter there is, the oldest first. Raises `NotFound` when there is no such project, `Unavailable`."""
        letter = await self._get({"seq": 1, "next_by_subj": subjects.dead_letters(self._project)})
        while letter is not None:
            yield letter
            after: Config = {"seq": letter.sequence + 1, "next_by_subj": subjects.dead_letters(self._project)}
            letter = await self._get(after)

    async def get(self, sequence: int) -> DeadLetter:
        """One letter. Raises `NotFound`, `Unavailable`."""
        letter = await self._get({"seq": sequence})
        if letter is None:
            raise NotFound(f"project {self._project} has no dead letter {sequence}", code="DEAD_LETTER_NOT_FOUND")
        return letter

    async def remove(self, sequence: int) -> None:
        """Erase a letter; nothing happens when it is gone already. Raises `Unavailable`."""
        try:
            await call(self._client, f"STREAM.MSG.DELETE.{self._stream}", {"seq": sequence})
        except ApiError as problem:
            if await self._get({"seq": sequence}) is not None:
                raise Unavailable(f"dead letter {sequence} was not removed: {problem}") from problem

    async def _get(self, which: Config) -> DeadLetter | None:
        try:
            body = await call(self._client, f"STREAM.MSG.GET.{self._stream}", which)
        except ApiError as problem:
            if problem.code == NO_SUCH_MESSAGE:
                return None
            if problem.code == NO_SUCH_STREAM:
                raise NotFound(f"there is no project {self._project!r}", code="UNKNOWN_PROJECT") from None
            raise Unavailable(f"the dead letters cannot be read: {problem}") from problem
        return _letter(_got.decode(body).message)


def _letter(message: _Message) -> DeadLetter:
    lines = base64.b64decode(message.hdrs).decode("utf-8", "replace").split("\r\n")
    found = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return DeadLetter(
        message.seq,
        int(found[headers.FRAME]),
        found[headers.REASON],
        milliseconds(found[headers.TIME], headers.TIME),
        base64.b64decode(message.data),
    )


def _one_line(text: str) -> str:
    """As a header can carry it: printable ASCII, not too long."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in plain)[:_LONGEST_REASON]
