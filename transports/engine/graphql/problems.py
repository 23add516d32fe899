"""Errors as GraphQL spells them: a message, where it belongs, and in the extensions our stable code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from octonet.kernel.errors import Invalid, Kind, OctonetError
from transports.engine.render import Refused

Problem: TypeAlias = Mapping[str, object]
"""One entry of `errors`."""

PARSE_ERROR: Final = "PARSE_ERROR"
INVALID_DOCUMENT: Final = "INVALID_DOCUMENT"


class Unacceptable(Invalid):
    """The document, or the values for its variables, cannot be executed."""

    def __init__(self, problems: Sequence[Problem], *, parsed: bool = True) -> None:
        first = problems[0]
        super().__init__(str(first["message"]), code=INVALID_DOCUMENT if parsed else PARSE_ERROR)
        self.problems = problems
        self.parsed = parsed
        """Whether it was a document at all."""


def is_of_request(problem: OctonetError) -> bool:
    """Whether what was asked for cannot be executed, whoever asks and whenever."""
    blamed = problem.kind in (Kind.INVALID, Kind.UNPROCESSABLE, Kind.NOT_FOUND)
    return blamed and not isinstance(problem, Refused)


def told(problem: OctonetError, path: Sequence[str | int] = ()) -> Problem:
    """An error of ours; `path` leads to the field that it stands for."""
    extensions: dict[str, object] = {"code": problem.code, "kind": str(problem.kind)}
    if problem.faults:
        extensions["details"] = [{"path": fault.path, "message": fault.message} for fault in problem.faults]
    if problem.retry_after:
        extensions["retryAfter"] = problem.retry_after
    found: dict[str, object] = {"message": speakable(problem.message)}
    if path:
        found["path"] = list(path)
    return {**found, "extensions": extensions}


def all_of(problem: OctonetError) -> list[Problem]:
    """The entries of `errors` for a request that could not be executed."""
    return list(problem.problems) if isinstance(problem, Unacceptable) else [told(problem)]


def fault(code: str, message: str, locations: Sequence[Mapping[str, int]] = (), path: str = "") -> Problem:
    """A fault of a document: `locations` in its text, or the JSON `path` of a value."""
    extensions: dict[str, object] = {"code": code, "kind": "invalid"}
    if path:
        extensions["details"] = [{"path": path, "message": message}]
    found: dict[str, object] = {"message": speakable(message)}
    if locations:
        found["locations"] = list(locations)
    return {**found, "extensions": extensions}


def speakable(text: str) -> str:
    """Text that JSON can hold, whatever a client sent comes back in it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
