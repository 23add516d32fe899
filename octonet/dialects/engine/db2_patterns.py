"""Patterns in the languages that Db2 knows: LIKE, which minds the case and, in a database of UTF-8, counts letters, and
the regular expressions of ICU. To LIKE the fullwidth signs of percent and underscore mean what the narrow ones do; that
they can be escaped is said nowhere, and expressions have no such signs. A text has an end, which is bound with a
pattern of LIKE, too, and stands in an expression by its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine.ends import END, Verbatim
from octonet.dialects.engine.expressions import anchored
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

LIKE: Final = "like"
REGEX: Final = "regex"
ESCAPE: Final = "|"
LONGEST: Final = 8000
"""Bytes of a pattern."""

_LIKE_ESCAPES = str.maketrans({"|": "||", "%": "|%", "_": "|_"})
_FULLWIDTH: Final = frozenset("\uff05\uff3f")
_LAST: Final = r"\z"
_END: Final = f"\\x{{{ord(END):x}}}"


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter: every letter of the expression lists its cases.
    """
    letters = "".join(part.text for part in parts if isinstance(part, Literal))
    if (ignore_case and letters) or set(letters) & _FULLWIDTH:
        whole = anchored(parts) if ignore_case else anchored(parts, letter=_itself, lower=False)
        language, text = REGEX, whole.removesuffix(_LAST) + _END + _LAST
    else:
        language, text = LIKE, "".join(map(_like, parts))
    if len(text.encode()) > LONGEST:
        raise Invalid(f"the pattern is too long for Db2, which is given {LONGEST} bytes", code="UNSUPPORTED_PATTERN")
    return language, Verbatim(text) if language == REGEX else text


def _like(part: Literal | Wild) -> str:
    if isinstance(part, Wild):
        return "%" if part.kind is Wildcard.MANY else "_"
    return part.text.translate(_LIKE_ESCAPES)


def _itself(letter: str) -> str:
    return letter if letter.isalnum() or not letter.isascii() else f"\\{letter}"
