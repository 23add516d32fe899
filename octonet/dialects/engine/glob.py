"""Patterns in the two languages that SQLite knows: GLOB, which minds the case, and LIKE, which knows ASCII only."""

from __future__ import annotations

from collections.abc import Sequence

from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

GLOB = "glob"
LIKE = "like"
LONGEST = 50_000
"""Bytes of a pattern, as SQLite is compiled by default."""

_LIKE_ESCAPES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})
_GLOB_ESCAPES = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
# Characters beside the upper and the title case of a letter that have it as their lower case; the capital sigma has
# two, by its place in a word.
_FURTHER = {"ς": "Σ", "k": "\u212a", "å": "\u212b", "ω": "\u2126", "ß": "\u1e9e", "θ": "\u03f4"}


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter. Where all of the pattern is ASCII, LIKE does so at
    full speed, but takes the Kelvin sign for no k; otherwise every letter of a GLOB lists its cases.
    """
    texts = [part.text.lower() if ignore_case else part.text for part in parts if isinstance(part, Literal)]
    if not ignore_case:
        language, many, one, escaped = GLOB, "*", "?", _escaped_glob
    elif all(text.isascii() for text in texts):
        language, many, one, escaped = LIKE, "%", "_", _escaped_like
    else:
        language, many, one, escaped = GLOB, "*", "?", _any_case
    literals = iter(texts)
    wilds = {Wildcard.MANY: many, Wildcard.ONE: one}
    text = "".join(wilds[part.kind] if isinstance(part, Wild) else escaped(next(literals)) for part in parts)
    if len(text.encode()) > LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return language, text


def _escaped_glob(text: str) -> str:
    return text.translate(_GLOB_ESCAPES)


def _escaped_like(text: str) -> str:
    return text.translate(_LIKE_ESCAPES)


def _any_case(text: str) -> str:
    return "".join(_either(letter, cases(letter)) for letter in text)


def _either(letter: str, others: str) -> str:
    return f"[{letter}{others}]" if others else _escaped_glob(letter)


def cases(letter: str) -> str:
    """The other letters whose lower case this letter is, in order."""
    found = {case for case in (letter.upper(), letter.title()) if len(case) == 1 and case.lower() == letter}
    found.update(_FURTHER.get(letter, ""))
    found.discard(letter)
    return "".join(sorted(found))
