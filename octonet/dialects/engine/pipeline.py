"""The aggregation pipeline as nested subselects, one for each stage that needs one, in the order of the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa

from octonet.dialects.engine.conditions import Conditions
from octonet.dialects.engine.grammar import Cell, Expression, Grammar, Rows
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.ordering import ordering
from octonet.dialects.engine.shape import Shape, shape
from octonet.dialects.engine.statement import Binder
from octonet.kernel.aggregate import NO_GROUP, Accumulator, Function, Group, Match, Sort, Stage
from octonet.kernel.errors import Internal
from octonet.kernel.filter import Order
from octonet.kernel.schema import ID, FieldType


def pipeline_shape(
    stages: Sequence[Stage], types: Mapping[str, FieldType], grammar: Grammar, values: list[Cell]
) -> Shape:
    """What decides the SQL text of a pipeline over columns of these types; appends to `values` what it binds."""
    shapes: list[object] = []
    for stage in stages:
        if isinstance(stage, Match):
            shapes.append(shape(stage.filter, types, grammar, values))
        elif isinstance(stage, Group):
            values.extend(a.operand for a in stage.accumulators if _binds(a))
            accumulators = tuple((a.alias, a.function, not _binds(a) and a.operand) for a in stage.accumulators)
            shapes.append((stage.by, accumulators))
            types = grouped_types(stage, types)
        elif isinstance(stage, Sort):
            shapes.append(stage.orders)
        else:
            values.append(stage.count)
            shapes.append("limit")
    return tuple(shapes)


def grouped_types(group: Group, types: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """The columns after a group. Raises `Internal` for a column that is not there: the door refuses it earlier."""
    found = {NO_GROUP: FieldType.STRING} if group.by is None else {group.by: _type_of(group.by, types)}
    for accumulator in group.accumulators:
        kept = accumulator.function in (Function.MIN, Function.MAX) and isinstance(accumulator.operand, str)
        found[accumulator.alias] = _type_of(str(accumulator.operand), types) if kept else FieldType.NUMBER
    return found


def _type_of(column: str, types: Mapping[str, FieldType]) -> FieldType:
    try:
        return types[column]
    except KeyError:
        raise Internal(f"no stage of the pipeline leaves a column {column!r}") from None


def _binds(accumulator: Accumulator) -> bool:
    return not isinstance(accumulator.operand, str) and accumulator.function is not Function.COUNT


class Pipeline:
    """A pipeline under construction: `types` are the columns it returns so far, `computed` the numbers that
    the database may have worked out, and gives in a form of its own."""

    def __init__(self, grammar: Grammar, binder: Binder, rows: Rows, types: Mapping[str, FieldType]) -> None:
        self.types = dict(types)
        self.computed: frozenset[str] = frozenset()
        self._grammar = grammar
        self._binder = binder
        self._from: sa.Subquery = rows.subquery()
        self._orders: tuple[Order, ...] = ()
        self._tie = ID

    def add(self, stage: Stage) -> None:
        """Let the rows so far go through one more stage."""
        if isinstance(stage, Match):
            conditions = Conditions(self._grammar, self._binder, self._column)
            self._from = self._all().where(conditions.condition(stage.filter)).subquery()
        elif isinstance(stage, Group):
            self._group(stage)
        elif isinstance(stage, Sort):
            self._orders = stage.orders
        else:
            self._from = self._sorted(self._all()).limit(self._binder.next()).subquery()

    def statement(self) -> Rows:
        """The rows, in the order of the last sort, then by id or group key; bounded by one more parameter."""
        return self._sorted(self._all()).limit(self._binder.next())

    def _all(self) -> Rows:
        return sa.select(*self._from.c)

    def _sorted(self, rows: Rows) -> Rows:
        return rows.order_by(*ordering(self._grammar, self._orders, self._tie, self._column))

    def _column(self, name: str) -> Expression:
        column: Expression | None = self._from.c.get(name)
        if column is None:
            raise Internal(f"no stage of the pipeline leaves a column {name!r}")
        return column

    def _group(self, group: Group) -> None:
        accumulated = [self._accumulated(each).label(quoted(each.alias)) for each in group.accumulators]
        self.types = grouped_types(group, self.types)
        if group.by is None:
            rows: Rows = sa.select(sa.null().label(quoted(NO_GROUP)), *accumulated).select_from(self._from)
        else:
            key = self._column(group.by)
            rows = sa.select(key.label(quoted(group.by)), *accumulated).group_by(key)
        self.computed = frozenset(name for name, kind in self.types.items() if kind is FieldType.NUMBER)
        self._from = rows.subquery()
        self._orders, self._tie = (), group.by or NO_GROUP

    def _type(self, accumulator: Accumulator) -> FieldType:
        operand = accumulator.operand
        return _type_of(operand, self.types) if isinstance(operand, str) else FieldType.NUMBER

    def _accumulated(self, accumulator: Accumulator) -> sa.ColumnElement[Any]:
        if accumulator.function is Function.COUNT:
            return self._grammar.number(cast("Expression", sa.func.count()))
        if isinstance(accumulator.operand, str):
            operand = self._column(accumulator.operand)
        else:
            operand = self._grammar.number(self._binder.next())
            if accumulator.function is Function.SUM:
                return self._grammar.number(cast("Expression", sa.func.count())) * operand
        extreme = self._grammar.extremes.get((accumulator.function, self._type(accumulator)))
        if extreme is not None:
            return extreme(operand)
        match accumulator.function:
            case Function.SUM:
                return self._grammar.total(operand)
            case Function.AVG:
                return sa.func.avg(operand)
            case Function.MIN:
                return sa.func.min(operand)
            case Function.MAX:
                return sa.func.max(operand)
