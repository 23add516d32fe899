"""Lines of arguments as rows of a statement: a list for each column, since Spanner takes 950 parameters, and carries
out few statements a second.

There is no UPDATE … FROM: each column that is changed looks for its value where the row's id stands in a list of ids.
An INSERT OR UPDATE would be shorter, but says nothing of columns that it does not name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.types import TypeEngine

from octonet.dialects.engine.grammar import Condition, Expression, Rows
from octonet.dialects.engine.names import quoted

_NAME: Final = "lines"


def lines(columns: Sequence[tuple[Expression, TypeEngine[Any]]]) -> sa.FromClause:
    """See `octonet.dialects.engine.grammar.Grammar.lines`."""
    lists = [sa.cast(values, sa.ARRAY(kind)) for values, kind in columns]
    last = sa.func.array_length(lists[0]) - sa.literal_column("1")
    place: Any = sa.func.unnest(sa.func.generate_array(sa.literal_column("0"), last)).column_valued("_place")
    cells = [each[place].label(f"c{number}") for number, each in enumerate(lists)]
    return sa.select(*cells).select_from(place.scalar_alias).subquery(_NAME)


def listed(column: Expression, values: Expression, negated: bool = False) -> Condition:
    """The condition that a column holds, or holds none of, the values of a list."""
    return column.bool_op("NOT IN UNNEST" if negated else "IN UNNEST")(Grouping(values))


def lines_of(statement: sa.Update | sa.Delete) -> sa.Subquery | None:
    """The lines that a statement is about."""
    for condition in _conditions(statement.whereclause):
        # A column of theirs is compared with one of the table.
        of = getattr(getattr(condition, "right", None), "table", None)
        if isinstance(of, sa.Subquery) and of.name == _NAME:
            return of
    return None


class _Found(sa.ColumnElement[Any]):
    """The element of a list that stands where a key stands in the list of keys."""

    inherit_cache = False

    def __init__(self, values: Any, keys: Any, sought: Any) -> None:
        self.parts = values, keys, sought
        self.type = values.type.item_type


@compiles(_Found)
def _write(found: _Found, compiler: SQLCompiler, **kw: Any) -> str:
    """In few words: a statement has 1000 functions at most, casts counted, and an entity many columns."""
    values, keys, key = (compiler.process(part, **kw) for part in found.parts)
    return f"(SELECT {values}[OFFSET(_place)] FROM UNNEST({keys}) AS _key WITH OFFSET AS _place WHERE _key = {key})"


def updated(update: sa.Update, source: sa.Subquery) -> sa.Update:
    """The same without a FROM."""
    cells, where = _cells(source), update.whereclause
    assert where is not None
    of: Any = _conditions(where)[0]
    keys, values = _plain(of.right, cells).left, dict(update._values or {})
    found = {column: _Found(_plain(value, cells).left, keys, of.left) for column, value in values.items()}
    return sa.update(update.table).values(found).where(*_among(update.table, where, cells))


def apart(update: sa.Update) -> sa.Update:
    """The same under another name where a column is called like its table: to set it would mean the whole row."""
    table: Any = update.table
    if not any(column.name.lower() == str(table.name).lower() for column in table.columns):
        return update
    row = table.alias(quoted("row"))
    adapter = ClauseAdapter(row)
    given: Mapping[Any, Any] = dict(update._values or {})
    other = sa.update(row).values({row.c[column.key]: _adapted(value, adapter) for column, value in given.items()})
    where = update.whereclause
    return other if where is None else other.where(adapter.traverse(where))


def _adapted(value: Any, adapter: ClauseAdapter) -> Any:
    return adapter.traverse(value) if isinstance(value, sa.ClauseElement) else value


def deleted(delete: sa.Delete, source: sa.Subquery) -> sa.Delete:
    """The same without a USING."""
    where = delete.whereclause
    assert where is not None
    return sa.delete(delete.table).where(*_among(delete.table, where, _cells(source)))


def _among(table: sa.FromClause, where: Condition, cells: Mapping[str, Any]) -> Sequence[Condition]:
    """Rows that a line is about. By the list alone, of keys, they are found without a look at all others."""
    key: Any = _conditions(where)[0]
    one: Rows = sa.select(sa.literal_column("1")).where(_plain(where, cells)).correlate(table)
    return listed(key.left, _plain(key.right, cells).left), sa.exists(one)


def _conditions(where: Any) -> Sequence[Any]:
    return list(where.clauses) if isinstance(where, sa.BooleanClauseList) else [where]


def _cells(source: sa.Subquery) -> Mapping[str, Any]:
    """For each column of the lines, the element of the list that it stands for."""
    return {str(label.name): label.element for label in source.element.selected_columns}


def _plain(expression: Any, cells: Mapping[str, Any]) -> Any:
    """With the elements themselves in place of columns of the lines."""

    def turned(element: Any, **_: object) -> Any:
        of = getattr(element, "table", None)
        return cells[element.name] if isinstance(of, sa.Subquery) and of.name == _NAME else None

    return visitors.replacement_traverse(expression, {}, turned)
