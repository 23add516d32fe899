"""Requests to JetStream's JSON API, with its refusals as typed errors."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout

from octonet.kernel.errors import Unavailable

Config: TypeAlias = dict[str, object]

NO_SUCH_MESSAGE = 10037
NO_SUCH_STREAM = 10059
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
STREAM_FULL = frozenset({10077, 10047, 10122})
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


class Ack(msgspec.Struct, frozen=True):
    """The acknowledgement of a publish."""

    seq: int = 0
    duplicate: bool = False
    error: ApiProblem | None = None


class _Reply(msgspec.Struct, frozen=True):
    error: ApiProblem | None = None


_ack = msgspec.json.Decoder(Ack)
_reply = msgspec.json.Decoder(_Reply)


async def call(client: Client, subject: str, body: Config | None = None) -> bytes:
    """Ask ``$JS.API.<subject>``. Raises `ApiError`, or `Unavailable` when nobody answers."""
    payload = msgspec.json.encode(body) if body is not None else b""
    try:
        message = await client.request(f"$JS.API.{subject}", payload, timeout=TIMEOUT)
    except (NatsError, NatsTimeout) as problem:
        raise Unavailable(f"JetStream does not answer: {problem or type(problem).__name__}") from problem
    problem_found = _reply.decode(message.data).error
    if problem_found is not None:
        raise ApiError(problem_found)
    return message.data


async def publish(client: Client, subject: str, body: bytes, headers: dict[str, str], timeout: float = TIMEOUT) -> Ack:
    """Publish to a stream and await the acknowledgement. Raises `ApiError` when refused, NATS's own errors when the
    outcome is not known."""
    message = await client.request(subject, body, timeout=timeout, headers=headers)
    ack = _ack.decode(message.data)
    if ack.error is not None:
        raise ApiError(ack.error)
    return ack


def decode_ack(data: bytes) -> Ack:
    """An acknowledgement that came by other ways."""
    return _ack.decode(data)
