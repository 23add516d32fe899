"""Patterns in the languages that Spanner knows: LIKE, whose escape is the backslash and no other, and RE2's regular
expressions, in which a text is read once, however many gaps there are."""

from __future__ import annotations

from collections.abc import Sequence

from octonet.dialects.engine.glob import LONGEST, cases
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

LIKE = "like"
REGEX = "regex"

_LIKE_ESCAPES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter: every letter of the expression lists its cases.
    """
    language = REGEX if ignore_case else LIKE
    text = rf"(?s)\A{''.join(map(_expression, parts))}\z" if ignore_case else "".join(map(_like, parts))
    if len(text.encode()) > LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return language, text


def _like(part: Literal | Wild) -> str:
    if isinstance(part, Wild):
        return "%" if part.kind is Wildcard.MANY else "_"
    return part.text.translate(_LIKE_ESCAPES)


def _expression(part: Literal | Wild) -> str:
    if isinstance(part, Wild):
        return ".*" if part.kind is Wildcard.MANY else "."
    return "".join(_any_case(letter) for letter in part.text.lower())


def _any_case(letter: str) -> str:
    others = cases(letter)
    return f"[{_coded(letter)}{''.join(map(_coded, others))}]" if others else _coded(letter)


def _coded(letter: str) -> str:
    """By its number, unless nothing could be meant but itself."""
    return letter if letter.isascii() and letter.isalnum() else f"\\x{{{ord(letter):x}}}"
