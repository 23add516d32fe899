"""Databases to which conditions are no values: what always holds, and what never does, is a comparison."""

from __future__ import annotations

from typing import Any


class Comparing:
    """Before a compiler of statements."""

    def visit_true(self, expr: Any, **kw: Any) -> str:
        """What always holds."""
        return "1 = 1"

    def visit_false(self, expr: Any, **kw: Any) -> str:
        """What never does."""
        return "0 = 1"
