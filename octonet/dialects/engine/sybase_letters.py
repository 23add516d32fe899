"""Texts and bytes as SAP ASE is given them: blanks at the end of a text, and zeros at the end of bytes, are lost there,
and a text without letters becomes a blank. Each therefore ends with U+0001, and bytes with 1, which is lower than all
else: no text is the beginning of another one, so that filling up with blanks decides nothing, and the order is the
same. What could be taken for the end is marked; U+0000, which no text may hold, is not known to come back."""

from __future__ import annotations

import re
from typing import Final

END: Final = "\x01"
LAST_BYTE: Final = b"\x01"
MARK: Final = "\x02"
MARKED: Final = {END: f"{MARK}\x03", MARK: f"{MARK}\x04"}
"""Texts may hold both. Their order among all others stays."""
HALVES: Final = frozenset("\x03\x04")
"""What stands behind a mark, and may be a letter of its own elsewhere."""
_PLAIN: Final = {marked: plain for plain, marked in MARKED.items()}
_TO_MARK: Final = re.compile(f"[{END}{MARK}]")
_TO_PLAIN: Final = re.compile("|".join(_PLAIN))


def kept(text: str) -> str:
    """As it is kept."""
    return _TO_MARK.sub(lambda found: MARKED[found[0]], text) + END


def told(text: str) -> str:
    """As it was before it was kept. What has no end is a text of the server's own."""
    return _TO_PLAIN.sub(lambda found: _PLAIN[found[0]], text[:-1]) if text.endswith(END) else text


def kept_bytes(value: bytes) -> bytes:
    """As they are kept."""
    return value + LAST_BYTE


def told_bytes(value: bytes) -> bytes:
    """As they were before they were kept."""
    return value.removesuffix(LAST_BYTE)
