"""Filters as SQL conditions. Comparisons with null are null in SQL, also behind a NOT, and count as false."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, assert_never

import sqlalchemy as sa

from octonet.dialects.engine.grammar import Condition, Expression, Grammar
from octonet.dialects.engine.shape import as_list, padded_width
from octonet.dialects.engine.statement import Binder
from octonet.kernel.filter import And, Compare, Comparison, Filter, In, IsNull, Like, Or

_WIDEST = 50
"""Databases limit how deep an expression is, and count every AND of a chain as one level."""


class Conditions:
    """Turns the filters of one statement into conditions over the columns it can see."""

    def __init__(self, grammar: Grammar, binder: Binder, column: Callable[[str], Expression]) -> None:
        self._grammar = grammar
        self._binder = binder
        self._column = column

    def condition(self, where: Filter) -> Condition:
        """The condition that the filter stands for."""
        if isinstance(where, And):
            return _joined("AND", [self.condition(part) for part in where.parts]) if where.parts else sa.true()
        if isinstance(where, Or):
            return _joined("OR", [self.condition(part) for part in where.parts]) if where.parts else sa.false()
        column = self._column(where.column)
        if isinstance(where, Compare):
            return _compared(column, where.op, self._binder.next())
        if isinstance(where, IsNull):
            return column.is_(None) if where.wanted else column.is_not(None)
        if isinstance(where, Like):
            manner, _ = self._grammar.pattern(where.parts, where.ignore_case)
            found = self._grammar.manners[manner](column, self._binder.next())
            return sa.not_(found) if where.negated else found
        return self._member(column, where)

    def _member(self, column: Expression, where: In) -> Condition:
        if not where.values:
            return sa.true() if where.negated else sa.false()
        packed = as_list(where, self._grammar)
        if self._grammar.among is not None and packed:
            return self._grammar.among(column, self._binder.next(), where.negated)
        if self._grammar.unroll is not None and packed:
            among = self._grammar.unroll(self._binder.next())
            return column.not_in(among) if where.negated else column.in_(among)
        parameters = [self._binder.next() for _ in range(padded_width(len(where.values)))]
        most = self._grammar.most_listed or len(parameters)
        lists = [parameters[start : start + most] for start in range(0, len(parameters), most)]
        if where.negated:
            return _joined("AND", [column.not_in(each) for each in lists])
        return _joined("OR", [column.in_(each) for each in lists])


def _compared(column: Expression, op: Comparison, value: Expression) -> Condition:
    match op:
        case Comparison.EQ:
            return column == value
        case Comparison.NE:
            return column != value
        case Comparison.GT:
            return column > value
        case Comparison.GTE:
            return column >= value
        case Comparison.LT:
            return column < value
        case Comparison.LTE:
            return column <= value
        case _ as never:
            assert_never(never)


def _joined(word: Literal["AND", "OR"], parts: list[Condition]) -> Condition:
    """The parts in groups of groups, so that no chain is long."""
    operator = sa.and_ if word == "AND" else sa.or_
    if len(parts) <= _WIDEST:
        return operator(*parts)
    # SQLAlchemy would dissolve groups joined by its own operators into one long chain again.
    middle = len(parts) // 2
    left, right = _joined(word, parts[:middle]), _joined(word, parts[middle:])
    return left.self_group().bool_op(word)(right.self_group())
