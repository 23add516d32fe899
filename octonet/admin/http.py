"""What the doors of the office have in common: reading requests, writing answers."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec

from octonet.kernel.errors import Invalid, NotFound, invalid
from octonet.kernel.members import check_unique
from octonet.transport import Incoming, Reply

T = TypeVar("T")

_MOST_PARAMETERS = 64
_encode = msgspec.json.Encoder().encode


def steps(incoming: Incoming) -> list[str]:
    """The path below the door's prefix, step by step; ``[""]`` for the prefix itself."""
    return incoming.below.strip("/").split("/")


def only(incoming: Incoming, *methods: str) -> None:
    """Raises `Invalid`, code METHOD_NOT_ALLOWED, for any other method."""
    if incoming.method not in methods:
        raise invalid("$.method", f"must be {' or '.join(methods)} here", code="METHOD_NOT_ALLOWED")


def body(incoming: Incoming, kind: type[T]) -> T:
    """The JSON body as `kind`. Raises `Invalid` naming the place."""
    declared = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        # Whatever else a page of elsewhere may send by itself, it cannot send this.
        raise invalid("Content-Type", "must be application/json", code="UNSUPPORTED_MEDIA_TYPE")
    try:
        found = msgspec.json.decode(incoming.body, type=kind)
        check_unique(incoming.body, msgspec.json.decode(incoming.body))
        return found
    except msgspec.ValidationError as problem:
        message, _, path = str(problem).partition(" - at `")
        raise invalid(path.rstrip("`") or "$", message, code="VALIDATION_ERROR") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise invalid("$", f"is not JSON: {problem}", code="PARSE_ERROR") from None


def query(incoming: Incoming) -> dict[str, str]:
    """The parameters of the query string. Raises `Invalid` when it cannot be read, or one comes twice."""
    text = incoming.target.partition("?")[2]
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise Invalid("the query string cannot be read", code="PARSE_ERROR") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise invalid(f"?{name}", "is given more than once")
        found[name] = value
    return found


def answer(told: object, status: int = 200) -> Reply:
    """JSON that no cache keeps."""
    return Reply(_encode(told), status, {"Cache-Control": "no-store"})


def ok(data: object, status: int = 200, **more: object) -> Reply:
    """The common envelope."""
    return answer({"status": "ok", "data": data, **more}, status)


def nowhere(incoming: Incoming) -> NotFound:
    """What to raise for a path that leads nowhere."""
    return NotFound(f"nothing is served at {incoming.target[:200]!r}")
