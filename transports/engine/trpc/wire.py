"""The answers of tRPC v11: results, errors, and the facts of a subscription."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from octonet.gateway import Written
from octonet.kernel.errors import OctonetError
from octonet.reader import Read
from projections.engine.live import Live
from transports.engine import frames, orm_response, render

_NAMES: Final[Mapping[int, tuple[str, int]]] = {
    400: ("BAD_REQUEST", -32600),
    401: ("UNAUTHORIZED", -32001),
    403: ("FORBIDDEN", -32003),
    404: ("NOT_FOUND", -32004),
    405: ("METHOD_NOT_SUPPORTED", -32005),
    409: ("CONFLICT", -32009),
    412: ("PRECONDITION_FAILED", -32012),
    413: ("PAYLOAD_TOO_LARGE", -32013),
    415: ("UNSUPPORTED_MEDIA_TYPE", -32015),
    422: ("UNPROCESSABLE_CONTENT", -32022),
    429: ("TOO_MANY_REQUESTS", -32029),
    500: ("INTERNAL_SERVER_ERROR", -32603),
    503: ("SERVICE_UNAVAILABLE", -32603),
    504: ("GATEWAY_TIMEOUT", -32603),
}
"""HTTP status → what tRPC calls it, by name and by number."""
_BY_CODE: Final[Mapping[str, int]] = {"UNKNOWN_OP": 404}
_encode = msgspec.json.Encoder().encode


class Answer(msgspec.Struct, frozen=True):
    """What became of one call: JSON text, and its status where it is alone."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {}


def success(found: Read | Written) -> Answer:
    """The answer to a call that succeeded: the OrmResponse as its data."""
    return Answer(b'{"result":{"data":%b}}' % orm_response.whole(found))


def failure(problem: OctonetError, path: str = "") -> Answer:
    """The answer to a call that failed."""
    refused = render.refusal(problem)
    return Answer(b'{"error":%b}' % error(problem, path), status_of(problem), refused.headers)


def status_of(problem: OctonetError) -> int:
    """The HTTP status of an error."""
    return _BY_CODE.get(problem.code) or render.status_of(problem)


def error(problem: OctonetError, path: str = "") -> bytes:
    """An error's shape. Its `data.octonet` is the error as every other door tells it."""
    told = render.error_body(problem)
    status = status_of(problem)
    name, number = ("PARSE_ERROR", -32700) if problem.code == "PARSE_ERROR" else _NAMES.get(status, _NAMES[400])
    data: dict[str, object] = {"code": name, "httpStatus": status, "octonet": told}
    if path:
        data["path"] = path
    return _encode({"message": told.message, "code": number, "data": data})


def event(fact: Live) -> bytes:
    """A fact as the data of a subscription."""
    return b'{"event":"%b",%b,"position":"%b"}' % (fact.name.encode(), frames.members(fact), fact.token.encode())


def sent_events(facts: list[Live]) -> bytes:
    """Facts as tracked server-sent events."""
    return b"".join([b"data: %b\nid: %b\n\n" % (event(fact), fact.token.encode()) for fact in facts])


def chunked_events(facts: list[Live]) -> bytes:
    """The same in one HTTP/1.1 chunk."""
    return frames.chunk(sent_events(facts))


@lru_cache(maxsize=256)
def socket_events(id: bytes) -> Callable[[list[Live]], bytes]:
    """Encodes facts as messages to the subscription of this id. Always the same function for the same id, so that
    clients share its work."""

    def encode(facts: list[Live]) -> bytes:
        return b"".join([frames.frame(_tracked(id, fact)) for fact in facts])

    return encode


def _tracked(id: bytes, fact: Live) -> bytes:
    token = fact.token.encode()
    return b'{"id":%b,"result":{"type":"data","id":"%b","data":{"id":"%b","data":%b}}}' % (
        id,
        token,
        token,
        event(fact),
    )
