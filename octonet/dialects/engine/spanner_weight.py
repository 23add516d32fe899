"""How much of what one commit of Spanner's takes is used: 80,000 cells, those of indexes counted."""

from __future__ import annotations

import re
from typing import Final

from octonet.dialects.engine.spanner_names import kept
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import TOO_MANY_ROWS, ConstraintViolation

MOST: Final = 75_000
_TABLE: Final = re.compile(r"(INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM) `(\w+)`")


class Weight:
    """Counts, rather too much than too little."""

    def __init__(self, model: Model) -> None:
        self.cells = 0
        self._indexes = {
            kept(str(table.name)): sum(len(index.columns) + 2 for index in table.indexes)
            for table in (*model.public, *model.private)
        }

    def add(self, text: str, rows: int, columns: int = 0) -> None:
        """A statement over so many rows, and columns if they are known. Raises `ConstraintViolation`, code
        TOO_MANY_ROWS."""
        found = _TABLE.match(text)
        if found is None:
            return
        # Of what is deleted each row counts once.
        each = 1 if found[1] == "DELETE FROM" else columns or text.count("=") or 1
        self.cells += rows * (each + self._indexes.get(found[2], 0))
        if self.cells > MOST:
            raise ConstraintViolation(
                "the database takes fewer rows at once: change them in several commands", code=TOO_MANY_ROWS
            )

    def clear(self) -> None:
        """Committed, or undone."""
        self.cells = 0
