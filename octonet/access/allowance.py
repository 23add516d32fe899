"""What a limit leaves to a key, as its holder is told."""

from __future__ import annotations

import msgspec


class Allowance(msgspec.Struct, frozen=True):
    """One limit of a key. `left` is what one process knows: others may have used more meanwhile."""

    name: str
    """Of the limit: day, second."""
    limit: int
    window: int
    """Seconds that the limit is for."""
    left: int
    """Uses until the window ends."""
    ends: int
    """Seconds until then, at least 1."""
