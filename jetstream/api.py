"""Requests to JetStream's JSON API, with its refusals as typed errors."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from nats.errors import Error as NatsError

from jetstream.connection import Connection, command
from octonet.kernel.errors import Unavailable

Config: TypeAlias = dict[str, object]

NO_LEADER = 10008
NO_PEERS = 10005
"""Too few servers of the cluster are known to live, as while it comes together."""
NO_SUCH_MESSAGE = 10037
NO_SUCH_STREAM = 10059
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
_FULL = frozenset({10023, 10047, 10122})
_STORE_FAILED = 10077
TIMEOUT = 5.0


class ApiProblem(msgspec.Struct, frozen=True):
    """JetStream's own description of a refusal."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class ApiError(Exception):
    """JetStream refused."""

    def __init__(self, problem: ApiProblem) -> None:
        super().__init__(f"{problem.description} ({problem.err_code})")
        self.code = problem.err_code
        self.no_room = problem.err_code in _FULL or (
            # A code for every failure to store: only the limits of the stream mean that there is no room.
            problem.err_code == _STORE_FAILED and problem.description.startswith("maximum ")
        )
        """Whether it was for lack of room: nothing was stored, and there may be room later."""


class NoAnswer(Unavailable):
    """Nobody answered, or not in time: a cluster that is choosing its leaders is silent meanwhile."""


class Ack(msgspec.Struct, frozen=True):
    """The acknowledgement of a publish."""

    seq: int = 0
    duplicate: bool = False
    val: str = "0"
    """Of a counter, what it is now."""
    error: ApiProblem | None = None


class _Reply(msgspec.Struct, frozen=True):
    error: ApiProblem | None = None


_ack = msgspec.json.Decoder(Ack)
_reply = msgspec.json.Decoder(_Reply)


async def call(connection: Connection, subject: str, body: Config | None = None) -> bytes:
    """Ask ``$JS.API.<subject>``. Raises `ApiError`, or `NoAnswer` when nobody answers."""
    payload = msgspec.json.encode(body) if body is not None else b""
    try:
        asked = f"$JS.API.{subject}"
        told = await connection.acknowledged(lambda reply: command(asked, reply, payload), TIMEOUT, stores=False)
    except (NatsError, TimeoutError) as problem:
        raise NoAnswer(f"JetStream does not answer: {problem or type(problem).__name__}") from problem
    problem_found = _reply.decode(told).error
    if problem_found is not None:
        raise ApiError(problem_found)
    return told


async def publish(
    connection: Connection, subject: str, body: bytes, headers: dict[str, str], timeout: float = TIMEOUT
) -> Ack:
    """Publish to a stream and await the acknowledgement. Raises `ApiError` when refused, NATS's own errors or
    `TimeoutError` when the outcome is not known."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    return decode_ack(await connection.acknowledged(lambda reply: command(subject, reply, body, lines), timeout))


def decode_ack(data: bytes) -> Ack:
    """An acknowledgement. Raises `ApiError` when it is a refusal."""
    ack = _ack.decode(data)
    if ack.error is not None:
        raise ApiError(ack.error)
    return ack
