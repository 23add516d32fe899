"""The messages of JSON-RPC 2.0: calls as they come, results and errors as they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.gateway import Written
from octonet.kernel.errors import Invalid, Kind, OctonetError, invalid
from octonet.kernel.operation import Raw
from octonet.reader import Read
from transports.engine import orm_response, render

NULL: Final = b"null"
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
_BY_KIND: Final[Mapping[Kind, int]] = {
    Kind.INVALID: INVALID_PARAMS,
    Kind.UNPROCESSABLE: INVALID_PARAMS,
    Kind.UNAUTHENTICATED: -32001,
    Kind.DENIED: -32003,
    Kind.NOT_FOUND: -32004,
    Kind.CONFLICT: -32009,
    Kind.EXHAUSTED: -32029,
    Kind.UNAVAILABLE: -32053,
    Kind.INTERNAL: INTERNAL_ERROR,
}
"""Kinds that the specification has no number for are numbered after their HTTP status."""
_BY_CODE: Final[Mapping[str, int]] = {
    "PARSE_ERROR": PARSE_ERROR,
    "DUPLICATE_MEMBER": INVALID_REQUEST,
    "ENTITY_NOT_FOUND": METHOD_NOT_FOUND,
    "UNKNOWN_OP": METHOD_NOT_FOUND,
}
_MEMBERS: Final = frozenset({"jsonrpc", "method", "params", "id"})
_OK: Final = len(b'{"status":"ok",')
_encode = msgspec.json.Encoder().encode


class Malformed(Invalid):
    """This is no JSON-RPC call."""

    default_code = "INVALID_CALL"


class Call(msgspec.Struct, frozen=True):
    """One call."""

    method: str
    params: dict[str, Raw] | list[Raw]
    id: bytes | None
    """As JSON text; None for a notification, which nobody waits for."""


def call(content: Raw) -> Call:
    """Read one call. Raises `Malformed`."""
    if not isinstance(content, dict):
        raise Malformed("a call is a JSON object")
    if content.get("jsonrpc") != "2.0":
        raise Malformed("the member 'jsonrpc' of a call is exactly \"2.0\"")
    for name in content:
        if name not in _MEMBERS:
            raise Malformed(f"{name[:64]!r} is not a member of a call")
    method, params, id = content.get("method"), content.get("params", {}), content.get("id", msgspec.UNSET)
    if not isinstance(method, str):
        raise Malformed("the member 'method' of a call is text")
    if not isinstance(params, dict | list):
        raise Malformed("the member 'params' of a call is an object or an array")
    if id is msgspec.UNSET:
        return Call(method, params, None)
    if isinstance(id, bool) or not (id is None or isinstance(id, str | int | float)):
        raise Malformed("the member 'id' of a call is text, a number or null")
    return Call(method, params, _encode(id))


def result(id: bytes, found: Read | Written) -> bytes:
    """The answer to a call that succeeded: an OrmResponse without its status."""
    return raw_result(id, b"{%b" % orm_response.whole(found)[_OK:])


def raw_result(id: bytes, found: bytes) -> bytes:
    """The answer that carries this JSON text."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id, found)


def failure(id: bytes, problem: OctonetError) -> bytes:
    """The answer to a call that failed. Its `data` is the error as every other door tells it."""
    data = render.error_body(problem)
    error = {"code": number(problem), "message": data.message, "data": data}
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id, _encode(error))


def number(problem: OctonetError) -> int:
    """The code that JSON-RPC knows an error by."""
    if isinstance(problem, Malformed | render.Refused):
        return INVALID_REQUEST
    return _BY_CODE.get(problem.code) or _BY_KIND[problem.kind]


def faulty(path: str, message: str) -> Invalid:
    """Params that are wrong in one place."""
    return invalid(path, message, code="INVALID_PARAMS")
