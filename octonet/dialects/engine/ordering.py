"""The order of rows: as asked for, nulls lowest, and always down to one row."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from octonet.dialects.engine.grammar import Expression, Grammar
from octonet.kernel.filter import Order


def ordering(
    grammar: Grammar, orders: tuple[Order, ...], tie: str, column: Callable[[str], Expression]
) -> list[sa.UnaryExpression[object]]:
    """The terms of an ORDER BY, ending with the column `tie`, ascending, whose values differ from row to row."""
    terms: list[sa.UnaryExpression[object]] = []
    for order in orders:
        name = column(order.column)
        term = name.desc() if order.descending else name.asc()
        if not grammar.nulls_first:
            term = term.nulls_last() if order.descending else term.nulls_first()
        terms.append(term)
        if order.column == tie:
            return terms
    last = column(tie).asc()
    return [*terms, last if grammar.nulls_first else last.nulls_first()]
