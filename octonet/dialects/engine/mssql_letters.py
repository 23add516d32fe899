"""Texts as SQL Server is given them: by 16-bit units, and it takes blanks at the end of a text for nothing where it
compares. A text therefore ends with U+0000, which none may hold, and which is lower than all others."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine import letters

END: Final = "\0"


def kept(text: str) -> str:
    """As it is kept."""
    return letters.kept(text) + END


def told(text: str) -> str:
    """As it was before it was kept. What has no end is a text of the server's own."""
    return letters.told(text[:-1]) if text.endswith(END) else text
