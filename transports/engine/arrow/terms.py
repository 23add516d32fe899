"""What statements may cost, and where they find their tables: known before anything heavy is loaded for them."""

from __future__ import annotations

from typing import Final

import msgspec

SCHEMA: Final = "main"
"""The name of the one schema that a project has."""


class Bounds(msgspec.Struct, frozen=True):
    """What a statement may cost: seconds, rows of its answer, bytes of memory."""

    timeout: float = 30.0
    rows: int = 1_000_000
    memory: int = 128 * 1024 * 1024
