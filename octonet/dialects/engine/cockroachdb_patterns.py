"""Patterns in the languages that CockroachDB knows: LIKE, which minds the case, and regular expressions for those who
do not. ILIKE is left alone: it compares upper cases, and takes letters for the same that are not."""

from __future__ import annotations

from collections.abc import Sequence

from octonet.dialects.engine import postgres_patterns
from octonet.dialects.engine.expressions import any_case
from octonet.dialects.engine.glob import LONGEST
from octonet.dialects.engine.postgres_patterns import LIKE, REGEX
from octonet.kernel.errors import Invalid
from octonet.kernel.filter import Literal, Wild, Wildcard

__all__ = ["LIKE", "REGEX", "pattern"]


def pattern(parts: Sequence[Literal | Wild], ignore_case: bool) -> tuple[str, str]:
    """The language, and the pattern in it, that whole texts match. Raises `Invalid` for one too long to be run."""
    if not ignore_case:
        return postgres_patterns.pattern(parts, ignore_case)
    text = "".join(map(_expression, parts))
    if len(text.encode()) > LONGEST:
        raise Invalid("the pattern is too long for this database", code="UNSUPPORTED_PATTERN")
    # A point is any letter, the end of a line too.
    return REGEX, f"(?s)^{text}$"


def _expression(part: Literal | Wild) -> str:
    if isinstance(part, Wild):
        return ".*" if part.kind is Wildcard.MANY else "."
    return "".join(any_case(letter) for letter in part.text.lower())
