"""What the door itself refuses, and how OData tells an error."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import structs

from octonet.kernel.errors import Fault, Invalid, NotFound, OctonetError
from octonet.transport import Reply
from transports.engine import render
from transports.engine.render import Refused

NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
ERROR_TYPE = "application/json;odata.metadata=minimal"


class _Detail(msgspec.Struct, frozen=True):
    code: str
    message: str
    target: str


class _Error(msgspec.Struct, frozen=True, omit_defaults=True):
    code: str
    message: str
    target: str = ""
    details: tuple[_Detail, ...] = ()


class _Body(msgspec.Struct, frozen=True):
    error: _Error


_encode = msgspec.json.Encoder().encode


def syntax(option: str, at: int, message: str) -> Invalid:
    """A text outside the grammar. `at` counts characters from 0."""
    place = f"{option}[{at}]"
    return Invalid(f"{option}, character {at}: {message}", code="SYNTAX_ERROR", faults=(Fault(place, message),))


def unsupported(option: str, what: str, at: int | None = None) -> Refused:
    """Something that OData knows and this server does not do: 501, never a wider result."""
    where = option if at is None else f"{option}, character {at}"
    return Refused(501, NOT_IMPLEMENTED, f"{where}: {what} is not supported here")


def nothing(message: str) -> NotFound:
    """An address that leads nowhere."""
    return NotFound(message, code="NOT_FOUND")


def body(problem: OctonetError) -> bytes:
    """The error as OData tells it. The places of the faults are the targets."""
    found = render.speakable(problem.message)
    details = tuple(
        _Detail(problem.code, render.speakable(f.message), render.speakable(f.path)) for f in problem.faults
    )
    target = details[0].target if details else ""
    return _encode(_Body(_Error(problem.code, found, target, details)))


def reply(problem: OctonetError, version: str) -> Reply:
    """The HTTP reply to an error."""
    told = render.refusal(problem)
    headers: Mapping[str, str] = {**told.headers, "OData-Version": version}
    return structs.replace(told, body=body(problem), headers=headers, content_type=ERROR_TYPE)
