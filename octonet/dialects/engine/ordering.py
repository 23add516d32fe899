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
        terms.append(term if _plain(grammar, name) else _nulls_lowest(term, order.descending))
        if order.column == tie:
            return terms
    name = column(tie)
    return [*terms, name.asc() if _plain(grammar, name) else _nulls_lowest(name.asc(), False)]


def _plain(grammar: Grammar, column: Expression) -> bool:
    """Whether nulls are lowest unasked. A key has none: to say where they go would keep its index from being used."""
    return grammar.nulls_first or (isinstance(column, sa.Column) and column.primary_key)


def _nulls_lowest(term: sa.UnaryExpression[object], descending: bool) -> sa.UnaryExpression[object]:
    return term.nulls_last() if descending else term.nulls_first()
