"""A statement compiled once, and the bounded memory of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from octonet.dialects.engine.grammar import Cell, Grammar
from octonet.kernel.errors import Internal

T = TypeVar("T")


class Binder:
    """Hands out the parameters of a statement, in the order in which their values will come."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> sa.BindParameter[object]:
        """The parameter for the next value."""
        # No column starts with an underscore and a digit: SQLAlchemy refuses a parameter named like a column.
        parameter: sa.BindParameter[object] = sa.bindparam(f"_{self.count}")
        self.count += 1
        return parameter


class Statement(msgspec.Struct, frozen=True):
    """SQL text. `order` says which of the values, then which of the constants, each placeholder takes."""

    text: str
    order: tuple[int, ...]
    constants: tuple[Cell, ...] = ()
    in_order: bool = True

    def arguments(self, values: Sequence[Cell]) -> Sequence[Cell]:
        """The values as the placeholders want them."""
        if self.in_order:
            return values
        pool = [*values, *self.constants]
        return [pool[index] for index in self.order]


def compiled(grammar: Grammar, clause: sa.ClauseElement, binder: Binder | None = None) -> Statement:
    """Compile a statement whose parameters came from the binder; those that did not are constants."""
    result = clause.compile(dialect=grammar.compiler)
    if not isinstance(result, SQLCompiler):
        raise Internal("a statement without parameters of its own was compiled as one with them")
    count = binder.count if binder else 0
    places = {f"_{number}": number for number in range(count)}
    constants: list[Cell] = []
    order: list[int] = []
    for name in result.positiontup or ():
        if name not in places:
            places[name] = count + len(constants)
            constants.append(result.params[name])
        order.append(places[name])
    in_order = not constants and order == list(range(count))
    return Statement(str(result), tuple(order), tuple(constants), in_order)


class Cache(Generic[T]):
    """The most recently used of what was compiled."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[object, T] = OrderedDict()

    def get(self, key: object, make: Callable[[], T]) -> T:
        """What stands under this key; made, and kept in the place of what was not used for longest, if nothing does."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
            return found
        made = self._entries[key] = make()
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return made
