"""Texts for databases that take blanks at the end of a text for nothing where they compare. A text ends there with
U+0000, which none may hold, and which is lower than all other signs: no text is the beginning of another one, so that
filling up with blanks decides nothing, and the order is the same."""

from __future__ import annotations

from typing import Final

END: Final = "\0"


class Verbatim(str):
    """A text that is bound as it is: no value of a row."""

    __slots__ = ()


def ended(text: str) -> str:
    """As it is kept."""
    return text + END


def unended(text: str) -> str:
    """As it was before it was kept. What has no end is a text of the server's own."""
    return text.removesuffix(END)
