"""The conditions that HTTP headers put on a request, as the members that every other door names in its messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from octonet.gateway import Written
from octonet.kernel.errors import Conflict, invalid
from octonet.kernel.operation import Command, Operation, Raw, Request

_KEY: Final = "idempotency-key"
_MATCH: Final = "if-match"
_POSITION: Final = "octonet-min-position"
_DRY: Final = "octonet-dry-run"
_MEMBER: Final = {
    "idempotencyKey": "Idempotency-Key",
    "expectedVersion": "If-Match",
    "minPosition": "Octonet-Min-Position",
    "dryRun": "Octonet-Dry-Run",
}
DESCRIBED: Final[Mapping[str, str]] = {
    "Idempotency-Key": "The same key with the same content has one effect, and is answered with its first outcome.",
    "If-Match": "The ETag that the row must have, or * for any: else 412.",
    "Octonet-Min-Position": "The Octonet-Position of a write that the answer must not be older than: else 503.",
    "Octonet-Dry-Run": "true: nothing is done; the answer tells what would be, and the facts of it.",
}
"""Header → what it means, for the description of the door."""
_ETAG: Final = re.compile(r'"(\d{1,15})"')


def named(headers: Mapping[str, str]) -> bool:
    """Whether any header puts a condition on the request."""
    return _KEY in headers or _MATCH in headers or _POSITION in headers or _DRY in headers


def add(request: Request, operation: type[Operation], headers: Mapping[str, str]) -> Request:
    """The request with its conditions. A key to a query says nothing; what is said in the body too is refused."""
    found: dict[str, Raw] = {}
    if _KEY in headers and issubclass(operation, Command):
        found["idempotency_key"] = headers[_KEY]
    if _MATCH in headers:
        found["expected_version"] = version(headers[_MATCH])
    if _POSITION in headers:
        found["min_position"] = headers[_POSITION]
    if _DRY in headers:
        found["dry_run"] = dry(headers[_DRY])
    for name in found:
        if getattr(request, name) is not msgspec.UNSET:
            raise invalid("$", f"says a second time what a header says: {name.replace('_', ' ')}")
    return msgspec.structs.replace(request, **found)


def taken(operation: type[Operation]) -> tuple[str, ...]:
    """The headers that mean something to an operation."""
    members = operation.accepts()
    return tuple(header for member, header in _MEMBER.items() if member in members)


def told(written: Written) -> dict[str, str]:
    """The headers that tell where in history a command stands, or that it was only tried out."""
    return {"Octonet-Position": written.position} if written.trial is None else {"Octonet-Dry-Run": "true"}


def dry(text: str) -> bool:
    """What an Octonet-Dry-Run header says. Raises `Invalid`."""
    if text not in ("true", "false"):
        raise invalid("Octonet-Dry-Run", "must be true or false", code="INVALID_DRY_RUN")
    return text == "true"


def etag(version: int) -> str:
    """A row's version as a strong entity tag."""
    return f'"{version}"'


def version(text: str) -> Raw:
    """The version that an If-Match header expects. Raises `Conflict`, `Invalid`."""
    text = text.strip()
    if text == "*":
        return text
    found = _ETAG.fullmatch(text)
    if found is not None:
        return int(found[1])
    if text.startswith("W/"):
        # A weak tag never matches in a write (RFC 9110 §13.1.1).
        raise Conflict("If-Match needs a strong entity tag", code="VERSION_MISMATCH")
    raise invalid("If-Match", 'must be one entity tag as replies carry it, such as "3", or *', code="INVALID_VERSION")
