"""Patterns in the languages that PostgreSQL knows: LIKE, ILIKE, and regular expressions for letters beyond ASCII."""

from __future__ import annotations

from collections.abc import Sequence

from octonet.dialects.engine.expressions import any_case
from octonet.dialects.engine.glob import LONGEST
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

LIKE = "like"
ILIKE = "ilike"
REGEX = "regex"

_LIKE_ESCAPES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run.

    To ignore case means to compare lower cases, letter by letter. Columns are collated by code point, so ILIKE knows
    ASCII only: it serves a pattern that is ASCII (and takes the Kelvin sign for no k); otherwise every letter of a
    regular expression lists its cases.
    """
    texts = [part.text.lower() if ignore_case else part.text for part in parts if isinstance(part, Literal)]
    plain = not ignore_case or all(text.isascii() for text in texts)
    language = (ILIKE if ignore_case else LIKE) if plain else REGEX
    wilds = {Wildcard.MANY: "%", Wildcard.ONE: "_"} if plain else {Wildcard.MANY: ".*", Wildcard.ONE: "."}
    literals = iter(texts)
    text = "".join(wilds[part.kind] if isinstance(part, Wild) else _escaped(next(literals), plain) for part in parts)
    if len(text.encode()) > LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return language, text if plain else f"^{text}$"


def _escaped(text: str, plain: bool) -> str:
    return text.translate(_LIKE_ESCAPES) if plain else "".join(any_case(letter) for letter in text)
