"""Texts as databases are given them that compare texts by their 16-bit units, in which a letter behind U+FFFF begins
with a lower unit than one that comes before it, from U+E000 on. A mark in front of those, which is lower than the first
of such units and higher than all others, puts them where they belong: texts are ordered by code point, and all but
these few letters stand in the database as they are."""

from __future__ import annotations

import re
from typing import Final

MARK: Final = "\ud7ff"
"""No letter, and none to be: should it stand in a text all the same, it is marked, too."""
FIRST_MARKED: Final = "\ue000"
"""From here on, up to U+FFFF."""
_MARKED: Final = re.compile("[\ud7ff\ue000-\uffff]")
_UNMARKED: Final = re.compile("\ud7ff(.)", re.DOTALL)


def kept(text: str) -> str:
    """As it is kept."""
    return text if text.isascii() else _MARKED.sub(_mark, text)


def told(text: str) -> str:
    """As it was before it was kept."""
    return _UNMARKED.sub(r"\1", text) if MARK in text else text


def is_marked(letter: str) -> bool:
    """Whether this one letter is kept with a mark."""
    return _MARKED.fullmatch(letter) is not None


def _mark(found: re.Match[str]) -> str:
    return MARK + found[0]
