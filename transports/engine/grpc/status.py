"""Errors as gRPC tells them: a status by the kind, and beside it the details of google.rpc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from octonet.kernel.errors import Kind, NotFound, OctonetError
from transports.engine import limits, render

DETAILS: Final = "grpc-status-details-bin"
DOMAIN: Final = "octonet"
_LONGEST_MESSAGE: Final = 1024
_MOST_DETAILS: Final = 3072
"""Bytes: clients refuse answers whose metadata is large."""
_BY_KIND: Final[Mapping[Kind, grpc.StatusCode]] = {
    Kind.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.UNPROCESSABLE: grpc.StatusCode.INVALID_ARGUMENT,
    Kind.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Kind.CONFLICT: grpc.StatusCode.FAILED_PRECONDITION,
    Kind.DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Kind.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Kind.EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Kind.INTERNAL: grpc.StatusCode.INTERNAL,
}
_BY_CODE: Final[Mapping[str, grpc.StatusCode]] = {
    "UNIQUE_VIOLATION": grpc.StatusCode.ALREADY_EXISTS,
    "DUPLICATE_ID": grpc.StatusCode.ALREADY_EXISTS,
    "VERSION_MISMATCH": grpc.StatusCode.ABORTED,
    "IDEMPOTENCY_KEY_IN_FLIGHT": grpc.StatusCode.ABORTED,
    "UNKNOWN_OP": grpc.StatusCode.UNIMPLEMENTED,
    # Whoever repeats by themselves what is not available must not repeat this.
    "OUTCOME_UNKNOWN": grpc.StatusCode.DEADLINE_EXCEEDED,
}


class NoMethod(NotFound):
    """There is no such method."""

    default_code = "UNKNOWN_METHOD"


class Missing(NotFound):
    """There is no such row, where a message cannot say so."""


def code_of(problem: OctonetError) -> grpc.StatusCode:
    """The status of an error."""
    if isinstance(problem, NoMethod):
        return grpc.StatusCode.UNIMPLEMENTED
    return _BY_CODE.get(problem.code) or _BY_KIND[problem.kind]


def trailers(problem: OctonetError, **more: str) -> tuple[tuple[str, str | bytes], ...]:
    """The metadata that tells an error's details; `more` of them by name."""
    status = Status(code=code_of(problem).value[0], message=message_of(problem))
    _add(status, ErrorInfo(reason=problem.code, domain=DOMAIN, metadata=more))
    if problem.retry_after:
        _add(status, RetryInfo(retry_delay={"seconds": problem.retry_after}))
    if problem.faults:
        bad, size = BadRequest(), 0
        for fault in problem.faults:
            path, description = render.speakable(fault.path)[:512], render.speakable(fault.message)[:512]
            size += len(path.encode()) + len(description.encode()) + 8
            if size > _MOST_DETAILS:
                break
            bad.field_violations.add(field=path, description=description)
        _add(status, bad)
    return ((DETAILS, status.SerializeToString()), *allowance())


def message_of(problem: OctonetError) -> str:
    """The sentence, not too long for a header."""
    found = render.speakable(problem.message)
    return found if len(found) <= _LONGEST_MESSAGE else f"{found[: _LONGEST_MESSAGE - 1]}…"


def allowance() -> tuple[tuple[str, str], ...]:
    """The metadata that tells what a limited key has left."""
    told = limits.headers()
    return () if told is None else tuple((name.lower(), value) for name, value in told.items())


def _add(status: Status, detail: Message) -> None:
    status.details.add().Pack(detail)
