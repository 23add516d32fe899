"""Patterns in the one language that SAP ASE knows, LIKE. Texts are kept as `sybase_letters` says: the end that each has
is where a pattern ends, too. Where a mark would be counted, or half of what it makes be taken for a letter, the pattern
is held against the text without its marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine.bracket_patterns import ESCAPE, like
from octonet.dialects.engine.ends import Verbatim
from octonet.dialects.engine.sybase_letters import END, HALVES
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

__all__ = ["ESCAPE", "LIKE", "UNMARKED", "pattern"]

LIKE: Final = "like"
UNMARKED: Final = "like, without marks"

_LONGEST: Final = 16_000
"""Bytes; an expression has at most 16384."""


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The manner, and the pattern, that whole texts match. Raises `Invalid` for one too long to be run."""
    text = like(parts, ignore_case)
    if len(text.encode()) > _LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    return (UNMARKED, Verbatim(text + END)) if any(map(_minds_marks, parts)) else (LIKE, text)


def _minds_marks(part: Literal | Wild) -> bool:
    if isinstance(part, Wild):
        return part.kind is Wildcard.ONE
    return not HALVES.isdisjoint(part.text)
