"""The SQL by which a table that holds rows takes another shape: in place or, where a database cannot do that, by making
it anew and moving its rows over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, CreateTable

from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.inventory import Physical
from octonet.dialects.engine.names import quoted

_REBUILT = "octonet_rebuilt"


class Shape(msgspec.Struct, frozen=True):
    """What is to become of a table. Columns go by their physical names."""

    turned: Mapping[str, str] = {}
    """Columns whose values stand, turned into another type, in a column beside them."""
    nullable: Sequence[Physical] = ()
    """Those that refuse nulls and must no longer."""
    required: Sequence[str] = ()
    """Those that take nulls and must no longer."""
    dropped: Sequence[str] = ()
    unused: Sequence[Physical] = ()
    """Those that stay, though no entity has them any more."""

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return bool(self.turned or self.nullable or self.required or self.dropped)


class Reshape:
    """Writes the statements."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._preparer = grammar.compiler.identifier_preparer

    def create(self, table: sa.Table) -> str:
        """Make a table."""
        return self._text(CreateTable(table))

    def add(self, table: str, column: sa.Column[object], name: str = "") -> str:
        """Give a table a column, nullable: the rows that are there have no value for it."""
        kept = column.server_default is not None and not name
        added = column if kept else sa.Column(quoted(name or column.name), column.type)
        if not kept:
            # Some dialects write a column down as one of its table only.
            sa.Table(quoted(table), sa.MetaData(), added)
        return self._grammar.add_column.format(table=self._quote(table), column=self._text(CreateColumn(added)))

    def rename(self, table: str, to: str) -> str:
        """Give a table another name."""
        return self._grammar.rename_table.format(table=self._quote(table), to=self._quote(to))

    def rename_column(self, table: str, column: str, to: str) -> str:
        """Give a column another name."""
        return self._grammar.rename_column.format(
            table=self._quote(table), column=self._quote(column), to=self._quote(to)
        )

    def drop(self, table: str) -> str:
        """Remove a table."""
        return f"DROP TABLE {self._quote(table)}"

    def drop_index(self, index: str, table: str) -> str:
        """Remove an index."""
        return self._grammar.drop_index.format(index=self._quote(index), table=self._quote(table))

    def statements(self, table: sa.Table, shape: Shape) -> Iterator[str]:
        """Bring a table into shape."""
        if not shape.changes:
            return iter(())
        anew = self._grammar.rebuilds or (shape.turned and not self._grammar.rename_column)
        return self._rebuilt(table, shape) if anew else self._altered(table, shape)

    def rename_columns(self, table: sa.Table, names: Mapping[str, str]) -> Iterator[str]:
        """Give columns the names that they have in this table; `names`: what each is called now, by its name to be."""
        if names and not self._grammar.rename_column:
            yield from self._rebuilt(table, Shape(turned=names))
            return
        for to, column in names.items():
            yield self.rename_column(table.name, column, to)

    def _altered(self, table: sa.Table, shape: Shape) -> Iterator[str]:
        name = self._quote(table.name)
        types = {column.name: self._type(column) for column in table.columns}
        for column in (*shape.turned, *shape.dropped):
            yield self._grammar.drop_column.format(table=name, column=self._quote(column))
        for column, beside in shape.turned.items():
            yield self.rename_column(table.name, beside, column)
        for physical in shape.nullable:
            yield self._grammar.allow_null.format(
                table=name, column=self._quote(physical.name), type=types.get(physical.name, physical.type)
            )
        for column in shape.required:
            yield self._grammar.refuse_null.format(table=name, column=self._quote(column), type=types[column])

    def _rebuilt(self, table: sa.Table, shape: Shape) -> Iterator[str]:
        """The order of SQLite's manual: make, fill, drop, rename. References of other tables go by the name, and find
        the new table under it."""
        name, rebuilt = self._quote(table.name), self._quote(_REBUILT)
        yield self.create(table).replace(f"CREATE TABLE {name}", f"CREATE TABLE {rebuilt}", 1)
        for unused in shape.unused:
            column = f"{self._quote(unused.name)} {unused.type}"
            yield self._grammar.add_column.format(table=rebuilt, column=column)
        names = [*(column.name for column in table.columns), *(unused.name for unused in shape.unused)]
        into = ", ".join(self._quote(each) for each in names)
        out = ", ".join(self._quote(shape.turned.get(each, each)) for each in names)
        yield f"INSERT INTO {rebuilt} ({into}) SELECT {out} FROM {name}"
        yield f"DROP TABLE {name}"
        yield self.rename(_REBUILT, table.name)

    def _type(self, column: sa.Column[object]) -> str:
        return column.type.compile(dialect=self._grammar.compiler)

    def _quote(self, name: str) -> str:
        return self._preparer.quote(quoted(name))

    def _text(self, element: sa.ClauseElement) -> str:
        return str(element.compile(dialect=self._grammar.compiler)).strip()
