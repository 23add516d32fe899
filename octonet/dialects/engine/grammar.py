"""What differs between SQL dialects, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from octonet.kernel.aggregate import Function
from octonet.kernel.filter import Literal, Wild
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import FieldType

Single: TypeAlias = str | int | float | bytes | None
Cell: TypeAlias = Single | list[Single]
"""A value as the driver takes and gives it; a list only where the grammar binds whole lists."""
Cells: TypeAlias = tuple[Cell, ...]
Expression: TypeAlias = sa.ColumnElement[object]
Condition: TypeAlias = sa.ColumnElement[bool]
Rows: TypeAlias = "sa.Select[*tuple[Any, ...]]"
"""A select whose columns are known only at run time: SQLAlchemy has no other word for them than Any."""


def _as_it_stands(value: Expression) -> Expression:
    return value


def _same(name: str) -> str:
    return name


def as_double(value: Expression) -> Expression:
    """The number as a double, which compares with any other."""
    return cast("Expression", sa.cast(value, sa.Double()))


def sum_or_zero(value: Expression) -> Expression:
    """The sum of the non-null values, of doubles; zero when there are none."""
    return cast("Expression", sa.func.coalesce(sa.func.sum(value), sa.literal_column("0")))


class Grammar(msgspec.Struct, frozen=True):
    """One SQL dialect. A mapping that lacks a field type means: stored as it stands on the wire."""

    name: str
    compiler: sa.Dialect
    """Turns statements into text; never connected."""
    types: Mapping[FieldType, TypeEngine[Any]]
    encoders: Mapping[FieldType, Callable[[JsonValue], Cell]]
    decoders: Mapping[FieldType, Callable[[Cell], JsonValue]]
    pattern: Callable[[tuple[Literal | Wild, ...], bool], tuple[str, str]]
    """For the parts of a pattern, and whether to ignore case: the manner of matching, and the pattern's text. Raises
    `Invalid` for a pattern the database cannot run."""
    manners: Mapping[str, Callable[[Expression, Expression], Condition]]
    """For each manner the condition that a column, as a whole, matches a bound pattern."""
    total: Callable[[Expression], Expression]
    """Sum of the non-null values, zero when there are none, without overflow."""
    unroll: Callable[[Expression], sa.Select[object]] | None = None
    """The values of one bound list, as a subselect; None where every value needs a parameter of its own."""
    among: Callable[[Expression, Expression, bool], Condition] | None = None
    """The condition that a column holds, or by the flag holds none of, the values of one bound list; where there is
    no need to unroll it."""
    pack: Callable[[Sequence[Cell]], Cell] | None = None
    """The one parameter that `unroll` or `among` takes."""
    packs_fractions: bool = False
    """Whether fractions come out of a packed list as they went in."""
    lines: Callable[[Sequence[tuple[Expression, TypeEngine[Any]]]], sa.FromClause] | None = None
    """The lines that one bound list for each column, given with its type, stand for: whoever runs a statement of the
    write side many times hands over columns. None where it is run once for each line."""
    key: TypeEngine[Any] | None = None
    """The type of ids and of other keys, where it is not that of a string."""
    kept: TypeEngine[Any] | None = None
    """The type of texts of any length that are only kept, where a text that can be compared may not be long."""
    number: Callable[[Expression], Expression] = _as_it_stands
    """Makes a bound or a counted number one that compares with any other."""
    extremes: Mapping[tuple[Function, FieldType], Callable[[Expression], Expression]] = {}
    """Least and most of types that the plain `min` and `max` do not take."""
    declares_references: bool = True
    """Whether foreign keys stand in the tables. They may not be enforced: the log decides what is referred to."""
    takes_rows_out: bool = False
    """Whether a row may be deleted and inserted anew within a transaction without touching rows that refer to it."""
    most_listed: int = 0
    """Values that one IN may list, where that is limited."""
    most_ids: int = 500
    """Ids that one statement may name."""
    table_options: Mapping[str, Any] = {}
    """SQLAlchemy options of entity tables, which it types as Any."""
    keyed_table_options: Mapping[str, Any] = {}
    """SQLAlchemy options of tables that hold nothing beside their key."""
    partial_index_option: str = ""
    """Name of the SQLAlchemy option for an index's condition, empty where there are no partial indexes."""
    add_column: str = "ALTER TABLE {table} ADD COLUMN {column}"
    drop_column: str = "ALTER TABLE {table} DROP COLUMN {column}"
    allow_null: str = "ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"
    """May also name the column's `{type}`, as may `refuse_null`."""
    refuse_null: str = "ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"
    rename_column: str = "ALTER TABLE {table} RENAME COLUMN {column} TO {to}"
    """Empty where a column has one name for ever: its table is made anew instead."""
    rename_table: str = "ALTER TABLE {table} RENAME TO {to}"
    drop_index: str = "DROP INDEX {index}"
    """May also name the `{table}`."""
    rebuilds: bool = False
    """Whether a column changes its shape only by making its table anew."""
    nulls_first: bool = True
    """Whether ascending order puts nulls first, and descending last, unasked."""
    longest_name: int = 63
    spelled: Callable[[str], str] = _same
    """How a name is spelled where the database has no quotes for it everywhere. Raises `Invalid`."""
    no_letters: str = ""
    """Letters that no name may hold, quoted or not."""
    reserved_prefixes: tuple[str, ...] = ()
    """Table names the database keeps for itself, in lower case."""
    fold: Callable[[str], str] = str.lower
    """Two names that fold to the same name one object."""
