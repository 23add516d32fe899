"""What a request on NATS says, and what its answer carries."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

import msgspec

from octonet.gateway import Written
from octonet.kernel.bus import BusRequest
from octonet.kernel.errors import NotFound, OctonetError, invalid
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName, is_private
from octonet.kernel.operation import Operation, Raw, Request
from octonet.reader import Read
from octonet.transport import Incoming
from transports.engine import coerce, conditions, orm_response, render

ERROR: Final = "Nats-Service-Error"
ERROR_CODE: Final = "Nats-Service-Error-Code"
_MESSAGE_ID: Final = "nats-msg-id"
_KEY: Final = "idempotency-key"
_PROJECT: Final = "x-project"
_LONGEST: Final = 256
_OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sort": "sort",
        "limit": "limit",
        "skip": "skip",
        "select": "select",
        "exclude": "exclude",
        "includeDeleted": "includeDeleted",
        "versions": "versions",
        "after": "after",
        "cursor": "after",
    }
)
"""Member that may stand beside `filter` → member of `options`."""
_AS_TEXT: Final = ("filter", "data", "options")
"""Members that may come as JSON in a string: they are never text themselves."""


class Answer(msgspec.Struct, frozen=True):
    """A body and its headers."""

    body: bytes
    headers: Mapping[str, str]


def incoming(request: BusRequest, door: str) -> Incoming:
    """The request as HTTP would have brought it: whoever reads headers finds them. A message's id is the idempotency
    key; the inbox of whoever asks stands for their address. Raises `Invalid` where two headers say different keys."""
    headers = request.headers
    if _PROJECT in headers:
        # The subject says it.
        headers = {name: value for name, value in headers.items() if name != _PROJECT}
    if _MESSAGE_ID in headers:
        if headers.get(_KEY, headers[_MESSAGE_ID]) != headers[_MESSAGE_ID]:
            sentence = "and Idempotency-Key are different keys"
            raise invalid("Nats-Msg-Id", sentence, code="INVALID_IDEMPOTENCY_KEY")
        headers = {**headers, _KEY: headers[_MESSAGE_ID]}
    project = ProjectName(request.project) if request.project else DEFAULT_PROJECT
    target = f"{request.entity}.{request.op}" if request.entity else request.op
    asker = ".".join(request.reply.split(".")[:-1])
    return Incoming("NATS", target, headers, request.body, asker, project, door=door)


def project_of(request: BusRequest) -> ProjectName:
    """The project that a subject names. Raises `NotFound` with code UNKNOWN_PROJECT for a private one."""
    name = ProjectName(_token(request.project)) if request.project else DEFAULT_PROJECT
    if is_private(name):
        raise NotFound(f"there is no project {name!r}", code="UNKNOWN_PROJECT")
    return name


def entity_of(request: BusRequest) -> str:
    """The entity that a subject names."""
    return _token(request.entity)


def wish(operation: type[Operation], entity: str, content: Raw, headers: Mapping[str, str]) -> Request:
    """What is asked of an operation. Raises `Invalid` naming the place."""
    found = coerce.members(operation, flat(operation, content))
    request = coerce.request(operation.op(), entity, found)
    return conditions.add(request, operation, headers) if conditions.named(headers) else request


def body(request: BusRequest) -> Raw:
    """The request's content; UNSET for an empty one. Raises `Invalid` with code PARSE_ERROR or DUPLICATE_MEMBER."""
    return coerce.json_text(request.body) if request.body else msgspec.UNSET


def flat(operation: type[Operation], content: Raw) -> Raw:
    """The members with those of `options` that stand beside them put where they belong, and texts of JSON read."""
    if not isinstance(content, dict):
        return content
    found: dict[str, Raw] = dict(content)
    for name in _AS_TEXT:
        if isinstance(text := found.get(name), str):
            found[name] = coerce.json_text(text, f"$.{name}")
    if "options" not in operation.needs + operation.takes:
        return found
    beside = {name: found.pop(name) for name in _OPTIONS if name in found}
    if not beside:
        return found
    options = found.get("options", {})
    if not isinstance(options, dict):
        raise invalid("$.options", "must be a JSON object")
    for name, value in beside.items():
        if _OPTIONS[name] in options:
            raise invalid(f"$.{name}", "says a second time what an option is")
        read = coerce.json_text(value, "$.options.sort") if name == "sort" and isinstance(value, str) else value
        options = {**options, _OPTIONS[name]: read}
    found["options"] = options
    return found


def answer(found: Read | Written) -> Answer:
    """What tells the outcome of an operation."""
    headers = conditions.told(found) if isinstance(found, Written) else {}
    return Answer(orm_response.whole(found), headers)


def failure(problem: OctonetError) -> Answer:
    """What tells an error, to whoever looks at headers, too."""
    headers = {ERROR: _line(f"{problem.code}: {problem.message}"), ERROR_CODE: str(render.status_of(problem))}
    if problem.retry_after:
        headers["Retry-After"] = str(problem.retry_after)
    return Answer(render.error(problem), headers)


def _line(text: str) -> str:
    """Text as a header can carry it."""
    return "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text[:_LONGEST])


def _token(text: str) -> str:
    """A token of a subject, in which what no token can hold stands percent-encoded. Raises `Invalid`."""
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise invalid("subject", "is not UTF-8", code="PARSE_ERROR") from None
