"""Patterns in the languages that HSQLDB knows: LIKE, which minds the case and counts 16-bit units, and Java's regular
expressions, which know letters. Texts are kept as `letters` says."""

from __future__ import annotations

from collections.abc import Sequence

from octonet.dialects.engine.expressions import anchored
from octonet.dialects.engine.glob import LONGEST, cases
from octonet.dialects.engine.letters import MARK, is_marked
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

LIKE = "like"
REGEX = "regex"
ESCAPE = "|"

_LIKE_ESCAPES = str.maketrans({"|": "||", "%": "|%", "_": "|_"})
_MARK = f"\\x{{{ord(MARK):x}}}"
_ONE = f"(?:[^{_MARK}]|{_MARK}.)"


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter: every letter of the expression lists its cases.
    """
    counts = any(isinstance(part, Wild) and part.kind is Wildcard.ONE for part in parts)
    if ignore_case or counts:
        language, text = REGEX, anchored(parts, _ONE, _any_case if ignore_case else _itself, ignore_case)
    else:
        language = LIKE
        text = "".join("%" if isinstance(part, Wild) else part.text.translate(_LIKE_ESCAPES) for part in parts)
    if len(text.encode()) > LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return language, text


def _any_case(letter: str) -> str:
    """Those of its cases that are kept with a mark stand apart from the others."""
    every = letter + cases(letter)
    marked = "".join(_coded(each) for each in every if is_marked(each))
    plain = "".join(_coded(each) for each in every if not is_marked(each))
    if marked and plain:
        return f"(?:[{plain}]|{_MARK}[{marked}])"
    return f"{_MARK}[{marked}]" if marked else f"[{plain}]"


def _itself(letter: str) -> str:
    return f"{_MARK}{_coded(letter)}" if is_marked(letter) else _coded(letter)


def _coded(letter: str) -> str:
    """By its number, unless nothing could be meant but itself."""
    return letter if letter.isascii() and letter.isalnum() else f"\\x{{{ord(letter):x}}}"
