"""JSON-RPC's words for what went wrong: its code, and in its data ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.kernel.errors import Kind, OctonetError
from octonet.transport import Reply
from transports.engine import render

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000
_OF_THE_MESSAGE: Final[Mapping[str, int]] = {
    "PARSE_ERROR": PARSE_ERROR,
    "DUPLICATE_MEMBER": INVALID_REQUEST,
    "INVALID_ID": INVALID_REQUEST,
}
_CALLERS_FAULT: Final = frozenset({Kind.INVALID, Kind.UNPROCESSABLE, Kind.NOT_FOUND})
_CONTENT_TYPE: Final = "application/json"


def code_of(problem: OctonetError) -> int:
    """The code of an error."""
    if problem.code in _OF_THE_MESSAGE:
        return _OF_THE_MESSAGE[problem.code]
    if problem.kind is Kind.INTERNAL:
        return INTERNAL_ERROR
    return INVALID_PARAMS if problem.kind in _CALLERS_FAULT else SERVER_ERROR


def message_of(problem: OctonetError) -> str:
    """Its sentence, such as JSON can hold it."""
    return str(msgspec.json.decode(render.error(problem))["error"]["message"])


def data_of(problem: OctonetError) -> Mapping[str, object]:
    """What is told beside the message: our code, and the places where there are any."""
    told: dict[str, object] = msgspec.json.decode(render.error(problem))["error"]
    del told["message"]
    return told


def refusal(problem: OctonetError) -> Reply:
    """The HTTP reply where there is no request to answer: nobody was let in, or nothing could be read."""
    plain = render.refusal(problem)
    error = {"code": code_of(problem), "message": message_of(problem), "data": data_of(problem)}
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": error})
    return Reply(body, plain.status, plain.headers, _CONTENT_TYPE)


def result(id: str | int, body: bytes) -> Reply:
    """The answer to a request."""
    return Reply(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (msgspec.json.encode(id), body), content_type=_CONTENT_TYPE)
