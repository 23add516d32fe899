"""Patterns in the languages that Oracle knows: LIKE, which minds the case, and regular expressions, which may have 512
bytes. A text without letters is kept as U+0000: no pattern that asks for a letter may take it for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine.expressions import any_case
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

LIKE: Final = "like"
SOME: Final = "like, some letter"
REGEX: Final = "regex"
SOME_REGEX: Final = "regex, some letter"
ESCAPE: Final = "|"

_LONGEST_LIKE: Final = 4000
_LONGEST_REGEX: Final = 512
_LIKE_ESCAPES = str.maketrans({"|": "||", "%": "|%", "_": "|_"})


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter: every letter of the expression lists its cases.
    """
    wilds = [part.kind for part in parts if isinstance(part, Wild)]
    letters = any(part.text for part in parts if isinstance(part, Literal))
    if ignore_case and (letters or wilds):
        language, longest = (SOME_REGEX if Wildcard.ONE in wilds else REGEX), _LONGEST_REGEX
        text = f"^{''.join(map(_expression, parts))}$"
    else:
        language, longest = (SOME if Wildcard.ONE in wilds else LIKE), _LONGEST_LIKE
        text = "".join(map(_like, parts))
    if len(text.encode()) > longest:
        raise Invalid(f"the pattern is too long for Oracle, which takes {longest} bytes", code="UNSUPPORTED_PATTERN")
    return language, text


def _like(part: Literal | Wild) -> str:
    if isinstance(part, Wild):
        return "%" if part.kind is Wildcard.MANY else "_"
    return part.text.translate(_LIKE_ESCAPES)


def _expression(part: Literal | Wild) -> str:
    if isinstance(part, Wild):
        return ".*" if part.kind is Wildcard.MANY else "."
    return "".join(any_case(letter) for letter in part.text.lower())
