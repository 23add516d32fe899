"""Patterns in the languages that MariaDB knows: LIKE, which minds the case of columns collated by code point, and
regular expressions for those who do not."""

from __future__ import annotations

from collections.abc import Sequence

from octonet.dialects.engine.expressions import anchored
from octonet.dialects.engine.glob import LONGEST
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

LIKE = "like"
REGEX = "regex"
ESCAPE = "|"
"""No backslash: the sessions are told that it means nothing in a text."""

_LIKE_ESCAPES = str.maketrans({"|": "||", "%": "|%", "_": "|_"})


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter: every letter of the expression lists its cases.
    """
    text = anchored(parts) if ignore_case else "".join(_like(part) for part in parts)
    if len(text.encode()) > LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return REGEX if ignore_case else LIKE, text


def _like(part: Literal | Wild) -> str:
    if isinstance(part, Literal):
        return part.text.translate(_LIKE_ESCAPES)
    return "%" if part.kind is Wildcard.MANY else "_"
