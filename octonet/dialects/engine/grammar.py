"""What differs between SQL dialects, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from octonet.kernel.filter import Literal, Wild
from octonet.kernel.ids import JsonValue
from octonet.kernel.schema import FieldType

Cell: TypeAlias = str | int | float | bytes | None
"""A value as the driver takes and gives it."""
Cells: TypeAlias = tuple[Cell, ...]
Expression: TypeAlias = sa.ColumnElement[object]
Condition: TypeAlias = sa.ColumnElement[bool]
Rows: TypeAlias = "sa.Select[*tuple[Any, ...]]"
"""A select whose columns are known only at run time: SQLAlchemy has no other word for them than Any."""


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
    pack: Callable[[Sequence[Cell]], Cell] | None = None
    """The one parameter that `unroll` takes."""
    takes_rows_out: bool = False
    """Whether a row may be deleted and inserted anew within a transaction without touching rows that refer to it."""
    most_ids: int = 500
    """Ids that one statement may name."""
    table_options: Mapping[str, Any] = {}
    """SQLAlchemy options of entity tables, which it types as Any."""
    keyed_table_options: Mapping[str, Any] = {}
    """SQLAlchemy options of tables that hold nothing beside their key."""
    partial_index_option: str = ""
    """Name of the SQLAlchemy option for an index's condition, empty where there are no partial indexes."""
    add_column: str = "ALTER TABLE {table} ADD COLUMN {column}"
    nulls_first: bool = True
    """Whether ascending order puts nulls first, and descending last, unasked."""
    longest_name: int = 63
    reserved_prefixes: tuple[str, ...] = ()
    """Table names the database keeps for itself, in lower case."""
    fold: Callable[[str], str] = str.lower
    """Two names that fold to the same name one object."""
