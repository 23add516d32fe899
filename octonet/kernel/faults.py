"""Collects what is wrong with a document, each fault at its JSON path, and words it for whoever sent it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import msgspec

from octonet.kernel.errors import Fault, ValidationError

MOST = 100
"""Faults told at once; who has found as many stops looking."""
_LONGEST = 64
_PLAIN = re.compile(r"\$?[A-Za-z_][A-Za-z0-9_]*")


class Faults:
    """The faults found so far; reading goes on after each, so that all are told at once."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: str, message: str) -> None:
        """Note a fault, once; beyond the first hundred they are dropped."""
        fault = Fault(path, message)
        if not self.full and fault not in self.found:
            self.found.append(fault)

    @property
    def full(self) -> bool:
        """Whether more would only cost time."""
        return len(self.found) >= MOST

    def check(self, code: str | None = None) -> None:
        """Raise `ValidationError` if anything was found."""
        if self.found:
            raise self.error(code)

    def error(self, code: str | None = None) -> ValidationError:
        """All that was found as one error, which speaks of the first."""
        first = self.found[0]
        more = f" (and {len(self.found) - 1} more)" if len(self.found) > 1 else ""
        return ValidationError(f"{first.path}: {first.message}{more}", code=code, faults=tuple(self.found))


def step(path: str, name: object) -> str:
    """The path of a member: ``$.filter.age``, or ``$.filter["two words"]``."""
    text = str(name)
    if len(text) <= _LONGEST and _PLAIN.fullmatch(text):
        return f"{path}.{text}"
    return f"{path}[{quote(text)}]"


def quote(name: object) -> str:
    """A name inside a sentence: quoted, cut when long, safe to encode whatever it holds."""
    text = str(name)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    printable = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped)
    return f'"{printable}"'


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """The end of a sentence: ``; did you mean "string"?``, or nothing when nothing is near."""
    if not isinstance(name, str) or len(name) > _LONGEST:
        return ""
    by_lower = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {quote(by_lower[near[0]])}?" if near else ""


def kind(value: object) -> str:
    """What sort of JSON value this is, with its article."""
    if value is None or value is msgspec.UNSET:
        return "null" if value is None else "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list | tuple):
        return "a list"
    return "an object" if isinstance(value, dict) else "something JSON cannot spell"
