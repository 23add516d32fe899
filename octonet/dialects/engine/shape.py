"""The shape of a filter: all that decides its SQL text, apart from the values, which are collected on the way.

`shape` and `condition` walk the same tree in the same order: the parameters of the one take the values of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from octonet.dialects.engine.grammar import Cell, Grammar
from octonet.kernel.filter import And, Compare, Filter, In, IsNull, Or
from octonet.kernel.schema import FieldType

Shape: TypeAlias = tuple[object, ...]


def shape(where: Filter, types: Mapping[str, FieldType], grammar: Grammar, values: list[Cell]) -> Shape:
    """The shape of a filter over columns of these types; appends to `values` what it binds."""
    if isinstance(where, Compare):
        values.append(_encoded(where.value, types.get(where.column), grammar))
        return "cmp", where.column, where.op
    if isinstance(where, And | Or):
        return type(where), *[shape(part, types, grammar, values) for part in where.parts]
    if isinstance(where, In):
        return _membership(where, types, grammar, values)
    if isinstance(where, IsNull):
        return "null", where.column, where.wanted
    manner, pattern = grammar.pattern(where.parts, where.ignore_case)
    values.append(pattern)
    return "like", where.column, manner, where.negated


def _membership(where: In, types: Mapping[str, FieldType], grammar: Grammar, values: list[Cell]) -> Shape:
    if not where.values:
        return "in", where.column, where.negated, 0
    kind = types.get(where.column)
    cells = [_encoded(value, kind, grammar) for value in where.values]
    if as_list(where, grammar) and grammar.pack:
        values.append(grammar.pack(cells))
        return "in", where.column, where.negated, "list"
    width = padded_width(len(cells))
    values.extend(cells)
    values.extend(cells[-1:] * (width - len(cells)))
    return "in", where.column, where.negated, width


def as_list(where: In, grammar: Grammar) -> bool:
    """Whether the values travel as one list: a fraction may lose its last digit in the database's reading of it."""
    if grammar.pack is None:
        return False
    return grammar.packs_fractions or not any(isinstance(value, float) for value in where.values)


def padded_width(count: int) -> int:
    """How many parameters stand for `count` values: a power of two, so that there are few shapes."""
    return 1 << (count - 1).bit_length()


def _encoded(value: str | int | float | bool, kind: FieldType | None, grammar: Grammar) -> Cell:
    encoder = grammar.encoders.get(kind) if kind is not None else None
    return value if encoder is None else encoder(value)


def conjuncts(where: Filter) -> Sequence[Filter]:
    """Conditions that each row must fulfil, as far as they stand at the top."""
    if isinstance(where, And):
        return [inner for part in where.parts for inner in conjuncts(part)]
    return (where,)
