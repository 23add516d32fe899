"""Patterns in the languages that HANA knows: LIKE, and the regular expressions of PCRE. Whether those take a letter
beyond U+FFFF for one or for two is not written anywhere: an expression says it so that it does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine import marked_patterns
from octonet.dialects.engine.glob import cases
from octonet.dialects.engine.letters import kept
from octonet.dialects.engine.marked_patterns import ESCAPE, LIKE, MARKED, REGEX, Letters
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild

__all__ = ["ESCAPE", "LIKE", "ONE", "REGEX", "pattern"]

ONE: Final = rf"(?:[^{MARKED}\p{{Cs}}]|\p{{Cs}}{{2}}|{MARKED}.)"
"""Any one letter, be it a pair of surrogates, or one with a mark before it."""
_LONGEST: Final = 5000
"""16-bit units of a value that is bound to a text."""


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run."""
    language, text = marked_patterns.pattern(parts, ignore_case, _LETTERS)
    if len(kept(text).encode("utf-16-le")) > 2 * _LONGEST:
        raise Invalid(f"the pattern is too long for HANA, which takes {_LONGEST} letters", code="UNSUPPORTED_PATTERN")
    return language, text


def _itself(letter: str) -> str:
    """As it stands: it is marked where it is bound, which it could not be in brackets."""
    return letter if letter.isalnum() or not letter.isascii() else f"\\{letter}"


def _any_case(letter: str) -> str:
    every = [_itself(each) for each in (letter, *cases(letter))]
    return every[0] if len(every) == 1 else f"(?:{'|'.join(every)})"


_LETTERS: Final = Letters(ONE, _itself, _any_case)
