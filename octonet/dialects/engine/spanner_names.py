"""Names as Spanner takes them: of ASCII's letters, digits and underscores, with a letter first. Any other sign stands
in them as its number, and an underscore at the beginning behind an ``o``. Each can be told again as it was."""

from __future__ import annotations

import re
from typing import Final

_SIGN: Final = re.compile(r"[^A-Za-z0-9_]")
_CODE: Final = re.compile(r"_0x([0-9a-f]+)_")
_LEADING: Final = re.compile(r"[oO]*_")


def kept(name: str) -> str:
    """As it stands in the database."""
    # What looks like a number is told apart by that of its own underscore.
    coded = _SIGN.sub(lambda found: f"_0x{ord(found[0]):x}_", name.replace("_0x", "_0x5f_0x"))
    return f"o{coded}" if _LEADING.match(coded) else coded


def told(name: str) -> str:
    """As it was before it was kept."""
    coded = name[1:] if name.startswith("o") and _LEADING.match(name, 1) else name
    return _CODE.sub(lambda found: chr(int(found[1], 16)), coded)
