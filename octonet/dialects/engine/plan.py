"""Tells short reads, which may run in place, from those that can be long."""

from __future__ import annotations

from octonet.dialects.engine.shape import conjuncts
from octonet.dialects.engine.tables import EntityTable
from octonet.kernel.filter import And, Compare, Comparison, Filter, In, Like, Or, Order
from octonet.kernel.schema import ID

SHORT_PAGE = 100
"""Rows that a short read may pass over and return together."""


def runs_short(entity: EntityTable, where: Filter, sort: tuple[Order, ...]) -> bool:
    """Whether a small page is found without a scan or a sort: one row by its id, or along an index.

    An estimate: an index may be a poor one. Whoever runs the read in place still has to bound it.
    """
    if any(_names_one(part) for part in conjuncts(where)):
        return True
    return in_order(entity, sort) and _follows_indexes(where, entity)


def in_order(entity: EntityTable, sort: tuple[Order, ...]) -> bool:
    """Whether rows are met in the order asked for, along an index: a small page is then found early, if enough of the
    rows match."""
    return (sort[0].column if sort else ID) in entity.indexed


def _names_one(part: Filter) -> bool:
    return isinstance(part, Compare) and part.op is Comparison.EQ and part.column == ID


def _follows_indexes(where: Filter, entity: EntityTable) -> bool:
    if isinstance(where, And | Or):
        return all(_follows_indexes(part, entity) for part in where.parts)
    if isinstance(where, Like) or (isinstance(where, In) and where.negated):
        return False
    if isinstance(where, Compare) and where.op is Comparison.NE:
        return False
    return where.column in entity.indexed
