"""Batches as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from octonet.kernel.errors import Invalid, invalid
from octonet.transport import Incoming, Reply
from transports.engine import coerce
from transports.engine.odata.multipart import Part, Together, too_large

_MEMBERS: Final = frozenset(("id", "method", "url", "headers", "body", "atomicityGroup", "dependsOn", "if"))
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"))
_JSON: Final = "application/json"


def read(incoming: Incoming, most: int) -> list[Part | Together]:
    """The requests, in order; neighbours of one atomicity group together. Raises `Invalid`, code INVALID_BATCH or
    BATCH_TOO_LARGE."""
    content = coerce.body(incoming)
    requests = content.get("requests") if isinstance(content, dict) else None
    if not isinstance(requests, list):
        raise _broken("$.requests", "must be a list")
    if len(requests) > most:
        raise too_large(most)
    found: list[Part | Together] = []
    seen: set[str] = set()
    group = ""
    for number, request in enumerate(requests):
        path = f"$.requests[{number}]"
        part, own = _part(request, path, seen)
        seen.add(part.id)
        last = found[-1] if found else None
        if own and own == group and isinstance(last, Together):
            found[-1] = Together((*last.parts, part))
        elif own:
            if own in seen:
                raise _broken(f"{path}.atomicityGroup", "is not next to the others of its group")
            found.append(Together((part,)))
            seen.add(own)
        else:
            found.append(part)
        group = own
    return found


def _broken(path: str, message: str) -> Invalid:
    return invalid(path, message, code="INVALID_BATCH")


def _part(request: object, path: str, seen: set[str]) -> tuple[Part, str]:
    if not isinstance(request, dict):
        raise _broken(path, "must be an object")
    for name in request:
        if name not in _MEMBERS:
            raise _broken(path, f"has a member {name!r} that no request has")
    texts = {name: request.get(name, "") for name in ("id", "method", "url", "atomicityGroup")}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise _broken(f"{path}.{name}", "must be a text")
    id, method, url = str(texts["id"]), str(texts["method"]).upper(), str(texts["url"])
    if not id or id in seen:
        raise _broken(f"{path}.id", "must be there, and another for each request")
    if method not in _METHODS:
        raise _broken(f"{path}.method", "is not a method")
    if not url:
        raise _broken(f"{path}.url", "is missing")
    _check_order(request, path, seen)
    headers = _headers(request.get("headers"), f"{path}.headers")
    body = b""
    if "body" in request:
        body = msgspec.json.encode(request["body"])
        headers.setdefault("content-type", _JSON)
    return Part(id, method, url, headers, body), str(texts["atomicityGroup"])


def _check_order(request: dict[str, object], path: str, seen: set[str]) -> None:
    """What comes before is done before: a request may depend on nothing else."""
    if "if" in request:
        raise _broken(f"{path}.if", "is not supported here")
    needed = request.get("dependsOn", [])
    if not isinstance(needed, list) or not all(isinstance(each, str) and each in seen for each in needed):
        raise _broken(f"{path}.dependsOn", "must name requests or groups before this one")


def _headers(given: object, path: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise _broken(path, "must be an object of texts")
    return {str(name).lower(): value for name, value in given.items()}


class _Raw(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    status: int
    headers: dict[str, str]
    body: msgspec.Raw | str = ""
    atomicityGroup: str = ""


def written(answers: Sequence[tuple[str, Reply] | list[tuple[str, Reply]]], found: Sequence[Part | Together]) -> bytes:
    """The answers, in order. A group that failed is answered by the failure for each of its requests."""
    told: list[_Raw] = []
    for answer, asked in zip(answers, found, strict=False):
        if isinstance(answer, list):
            told += [_answer(id, reply) for id, reply in answer]
        elif isinstance(asked, Together):
            told += [_answer(part.id, answer[1]) for part in asked.parts]
        else:
            told.append(_answer(*answer))
    return msgspec.json.encode({"responses": told})


def _answer(id: str, reply: Reply) -> _Raw:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    if not reply.body:
        return _Raw(id, reply.status, headers)
    headers["content-type"] = reply.content_type
    text = reply.content_type.startswith(_JSON)
    return _Raw(id, reply.status, headers, msgspec.Raw(reply.body) if text else reply.body.decode())
