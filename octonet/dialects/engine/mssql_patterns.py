"""Patterns in the languages that SQL Server knows: LIKE, in whose brackets letters list their cases, and, from 2025 on,
regular expressions, where letters are to be counted: LIKE counts 16-bit units. Texts are kept as `mssql_letters` says:
the end that each has, and that is bound with each pattern, is where a pattern ends, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine.bracket_patterns import ESCAPE, every_case, like
from octonet.dialects.engine.letters import FIRST_MARKED, MARK, is_marked
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

__all__ = ["ESCAPE", "LIKE", "ONE", "REGEX", "pattern"]

LIKE: Final = "like"
REGEX: Final = "regex"

_LONGEST: Final = 3500
"""Letters; the server takes 4000 units, marks included."""
_MARK: Final = f"\\x{{{ord(MARK):x}}}"
ONE: Final = f"(?:[^{_MARK}]|{_MARK}.)"


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter: every letter lists its cases.
    """
    letters = "".join(part.text for part in parts if isinstance(part, Literal)).lower()
    counts = any(isinstance(part, Wild) and part.kind is Wildcard.ONE for part in parts)
    # In brackets there is room for letters of one unit only.
    wide = ignore_case and any(case >= FIRST_MARKED for letter in set(letters) for case in every_case(letter))
    if counts or wide:
        language, text = REGEX, "(?s)^" + "".join(_expression(part, ignore_case) for part in parts)
    else:
        language, text = LIKE, like(parts, ignore_case)
    if len(text) > _LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return language, text


def _expression(part: Literal | Wild, ignore_case: bool) -> str:
    if isinstance(part, Wild):
        return ".*" if part.kind is Wildcard.MANY else ONE
    return "".join(_any_case(letter, ignore_case) for letter in (part.text.lower() if ignore_case else part.text))


def _any_case(letter: str, ignore_case: bool) -> str:
    """By their numbers: what is bound is marked, and numbers are not."""
    every = [
        f"{_MARK if is_marked(case) else ''}\\x{{{ord(case):x}}}"
        for case in (every_case(letter) if ignore_case else "") or letter
    ]
    return every[0] if len(every) == 1 else f"(?:{'|'.join(every)})"
