"""What a statement of the write side takes: a parameter for each value of a line or, where the grammar can make lines
of lists, one list for each column."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from octonet.dialects.engine.grammar import Expression, Grammar, Rows
from octonet.dialects.engine.statement import Binder


class Lines:
    """The values for some columns, in their order."""

    def __init__(self, grammar: Grammar, columns: Sequence[sa.Column[object]]) -> None:
        self.binder = Binder()
        parameters: list[Expression] = [self.binder.next() for _ in columns]
        self._source: sa.FromClause | None = None
        self.values: Sequence[Expression] = parameters
        if grammar.lines is not None:
            kinds = [column.type for column in columns]
            self._source = grammar.lines(list(zip(parameters, kinds, strict=True)))
            self.values = list(self._source.c)

    def into(self, table: sa.Table, columns: Sequence[sa.Column[object]]) -> sa.Insert:
        """Insert them."""
        if self._source is None:
            return sa.insert(table).values(dict(zip(columns, self.values, strict=True)))
        rows: Rows = sa.select(*self.values).select_from(self._source)
        return sa.insert(table).from_select([column.key for column in columns], rows)
