"""Patterns in the LIKE of Transact-SQL, in whose brackets letters list their cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine.glob import cases
from octonet.kernel.filter import Literal, Wild, Wildcard

ESCAPE: Final = "|"
_ESCAPES = str.maketrans({"|": "||", "%": "|%", "_": "|_", "[": "|["})


def like(parts: Sequence[Literal | Wild], ignore_case: bool) -> str:
    """The pattern that whole texts match. To ignore case means to compare lower cases, letter by letter."""
    return "".join(_like(part, ignore_case) for part in parts)


def every_case(letter: str) -> str:
    """This letter and all others whose lower case it is; empty where there are none."""
    others = cases(letter)
    return letter + others if others else ""


def _like(part: Literal | Wild, ignore_case: bool) -> str:
    if isinstance(part, Wild):
        return "%" if part.kind is Wildcard.MANY else "_"
    if not ignore_case:
        return part.text.translate(_ESCAPES)
    return "".join(
        f"[{every}]" if (every := every_case(letter)) else letter.translate(_ESCAPES) for letter in part.text.lower()
    )
