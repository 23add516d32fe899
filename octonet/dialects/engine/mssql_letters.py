"""Texts as SQL Server is given them: by 16-bit units, and with an end."""

from __future__ import annotations

from octonet.dialects.engine import letters
from octonet.dialects.engine.ends import END, ended, unended


def kept(text: str) -> str:
    """As it is kept."""
    return ended(letters.kept(text))


def told(text: str) -> str:
    """As it was before it was kept."""
    return letters.told(unended(text)) if text.endswith(END) else text
