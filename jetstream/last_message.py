"""The last message of a subject, as the stream's leader has it."""

from __future__ import annotations

import base64

import msgspec

from jetstream.api import NO_SUCH_MESSAGE, ApiError, call
from jetstream.connection import Connection
from octonet.kernel.errors import Unavailable


class _Message(msgspec.Struct, frozen=True):
    seq: int
    data: str = ""


class _Got(msgspec.Struct, frozen=True):
    message: _Message


_got = msgspec.json.Decoder(_Got)


async def last_message(client: Connection, stream: str, subject: str) -> tuple[int, bytes]:
    """(sequence, body), (0, empty) when there is none. Raises `Unavailable`."""
    try:
        body = await call(client, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    except ApiError as problem:
        if problem.code == NO_SUCH_MESSAGE:
            return 0, b""
        raise Unavailable(str(problem)) from problem
    message = _got.decode(body).message
    return message.seq, base64.b64decode(message.data)
