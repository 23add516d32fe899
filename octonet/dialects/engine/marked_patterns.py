"""Patterns over texts that are kept as `letters` says, in the languages that most databases with such texts know: LIKE,
which minds the case but counts 16-bit units, and regular expressions that whole texts match, which know letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from octonet.dialects.engine.expressions import anchored
from octonet.dialects.engine.letters import MARK
from octonet.kernel.filter import Literal, Wild, Wildcard

LIKE: Final = "like"
REGEX: Final = "regex"
ESCAPE: Final = "|"

MARKED: Final = f"\\x{{{ord(MARK):x}}}"
"""The mark, as an expression says it: what is bound is marked itself, and numbers are not."""

_LIKE_ESCAPES = str.maketrans({"|": "||", "%": "|%", "_": "|_"})


class Letters(msgspec.Struct, frozen=True):
    """How a database's expressions say letters."""

    one: str
    """Any one."""
    itself: Callable[[str], str]
    any_case: Callable[[str], str]
    """Every letter whose lower case is this one."""


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool, letters: Letters) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match.

    To ignore case means to compare lower cases, letter by letter: every letter of the expression lists its cases.
    """
    counts = any(isinstance(part, Wild) and part.kind is Wildcard.ONE for part in parts)
    if ignore_case or counts:
        letter = letters.any_case if ignore_case else letters.itself
        return REGEX, anchored(parts, letters.one, letter, ignore_case)
    return LIKE, "".join("%" if isinstance(part, Wild) else part.text.translate(_LIKE_ESCAPES) for part in parts)
