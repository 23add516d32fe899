"""Patterns in the languages that HSQLDB knows: LIKE, and Java's regular expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine import marked_patterns
from octonet.dialects.engine.glob import LONGEST, cases
from octonet.dialects.engine.letters import is_marked
from octonet.dialects.engine.marked_patterns import ESCAPE, LIKE, MARKED, REGEX, Letters
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild

__all__ = ["ESCAPE", "LIKE", "REGEX", "pattern"]


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run."""
    language, text = marked_patterns.pattern(parts, ignore_case, _LETTERS)
    if len(text.encode()) > LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return language, text


def _any_case(letter: str) -> str:
    """Those of its cases that are kept with a mark stand apart from the others."""
    every = letter + cases(letter)
    marked = "".join(_coded(each) for each in every if is_marked(each))
    plain = "".join(_coded(each) for each in every if not is_marked(each))
    if marked and plain:
        return f"(?:[{plain}]|{MARKED}[{marked}])"
    return f"{MARKED}[{marked}]" if marked else f"[{plain}]"


def _itself(letter: str) -> str:
    return f"{MARKED}{_coded(letter)}" if is_marked(letter) else _coded(letter)


def _coded(letter: str) -> str:
    """By its number, unless nothing could be meant but itself."""
    return letter if letter.isascii() and letter.isalnum() else f"\\x{{{ord(letter):x}}}"


_LETTERS: Final = Letters(f"(?:[^{MARKED}]|{MARKED}.)", _itself, _any_case)
