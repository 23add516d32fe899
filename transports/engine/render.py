"""Renders errors for HTTP: a kind becomes a status, every error the same JSON envelope."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import msgspec

from octonet.kernel.errors import (
    Fault,
    Invalid,
    Kind,
    OctonetError,
    OutcomeUnknown,
    TooLarge,
    VersionMismatch,
)
from octonet.transport import Reply

STATUS: Mapping[Kind, int] = MappingProxyType(
    {
        Kind.INVALID: 400,
        Kind.UNPROCESSABLE: 422,
        Kind.NOT_FOUND: 404,
        Kind.CONFLICT: 409,
        Kind.DENIED: 403,
        Kind.UNAUTHENTICATED: 401,
        Kind.EXHAUSTED: 429,
        Kind.UNAVAILABLE: 503,
        Kind.INTERNAL: 500,
    }
)
_BY_CODE: Mapping[str, int] = MappingProxyType(
    {
        OutcomeUnknown.default_code: 504,
        VersionMismatch.default_code: 412,
        TooLarge.default_code: 413,
        "BATCH_TOO_LARGE": 413,
        "METHOD_NOT_ALLOWED": 405,
        "UNSUPPORTED_MEDIA_TYPE": 415,
    }
)


class Refused(Invalid):
    """HTTP itself forbids the request."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.headers = headers or {}


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client is told of an error."""

    code: str
    message: str
    details: tuple[Fault, ...] = ()


class Envelope(msgspec.Struct, frozen=True):
    """The reply that carries an error."""

    status: str
    error: ErrorBody


_encode = msgspec.json.Encoder().encode


def envelope(code: str, message: str, faults: tuple[Fault, ...] = ()) -> bytes:
    """The JSON text of an error."""
    return _encode(Envelope("error", ErrorBody(code, speakable(message), faults)))


def error_body(problem: OctonetError) -> ErrorBody:
    """What a client is told of this error, for doors with an envelope of their own."""
    return ErrorBody(problem.code, speakable(problem.message), problem.faults)


def error(problem: OctonetError) -> bytes:
    """The JSON text of this error, for any door that answers with OrmResponses."""
    return envelope(problem.code, problem.message, problem.faults)


def status_of(problem: OctonetError) -> int:
    """The HTTP status of an error."""
    if isinstance(problem, Refused):
        return problem.status
    return _BY_CODE.get(problem.code) or STATUS[problem.kind]


def refusal(problem: OctonetError) -> Reply:
    """The HTTP reply to an error."""
    headers: Mapping[str, str] = {}
    if problem.kind is Kind.UNAUTHENTICATED and not problem.faults:
        return _unauthenticated(problem.code, problem.message)
    if isinstance(problem, Refused):
        headers = problem.headers
    elif problem.retry_after:
        headers = {"Retry-After": str(problem.retry_after)}
    return Reply(error(problem), status_of(problem), headers)


@lru_cache(maxsize=16)
def _unauthenticated(code: str, message: str) -> Reply:
    """Always the same few, and nothing is refused as often."""
    return Reply(envelope(code, message), STATUS[Kind.UNAUTHENTICATED], {"WWW-Authenticate": 'Bearer realm="octonet"'})


def failure(status: int, code: str, message: str) -> Reply:
    """The HTTP reply to what went wrong outside any operation."""
    return Reply(envelope(code, message), status)


def speakable(text: str) -> str:
    """Text that JSON can hold: what a client sent in broken bytes may come back in a message."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
