"""Brings the tables of a database in line with a model. Never drops or changes a column, and drops tables only where
the strategy says so: the log refills them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable, DropTable

from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Conflict, Fault
from octonet.kernel.storage import Strategy


class Inventory(msgspec.Struct, frozen=True):
    """What stands in a database, names folded as the grammar says."""

    columns: Mapping[str, frozenset[str]]
    """For each table its columns."""
    indexes: frozenset[str]


class Migration:
    """What has to be done to a database, by the look of its inventory."""

    def __init__(self, model: Model, grammar: Grammar, inventory: Inventory) -> None:
        self._model = model
        self._grammar = grammar
        self._inventory = inventory

    def statements(self, strategy: Strategy) -> list[str]:
        """The SQL to run, in order. Raises `Conflict`, code SCHEMA_MISMATCH, for a difference that the strategy
        tells of or cannot mend."""
        match strategy:
            case Strategy.CREATE | Strategy.CREATE_DROP:
                return [*self.drop(), *self._create([*self._model.private, *self._model.public])]
            case Strategy.UPDATE:
                self._refuse([fault for fault in self._differences() if fault.message.endswith(_KEY)])
                return [*self._create_missing(), *self._add_columns(), *self._add_indexes()]
            case Strategy.VALIDATE:
                self._refuse(list(self._differences()))
        return list(self._create([table for table in self._model.private if not self._has(table)]))

    def drop(self) -> Iterator[str]:
        """Removes every table of the model that is there."""
        for table in (*self._model.public, *self._model.private):
            if self._has(table):
                yield self._text(DropTable(table))

    def _differences(self) -> Iterator[Fault]:
        for table in self._model.public:
            if not self._has(table):
                yield Fault(table.name, "the table is missing")
                continue
            for column in self._missing(table):
                what = _KEY if column.primary_key else "the column is missing"
                yield Fault(f"{table.name}.{column.name}", what)

    def _refuse(self, faults: list[Fault]) -> None:
        if faults:
            listed = "; ".join(f"{fault.path}: {fault.message}" for fault in faults)
            raise Conflict(
                f"the database does not fit the schema: {listed}", code="SCHEMA_MISMATCH", faults=tuple(faults)
            )

    def _create_missing(self) -> Iterator[str]:
        tables = (*self._model.private, *self._model.public)
        return self._create([table for table in tables if not self._has(table)], with_indexes=False)

    def _create(self, tables: list[sa.Table], *, with_indexes: bool = True) -> Iterator[str]:
        for table in tables:
            yield self._text(CreateTable(table))
        if with_indexes:
            yield from (self._text(CreateIndex(index)) for table in tables for index in _indexes(table))

    def _add_columns(self) -> Iterator[str]:
        preparer = self._grammar.compiler.identifier_preparer
        for table in self._model.public:
            for column in self._missing(table) if self._has(table) else ():
                # Rows that are already there have no value for it, so it is nullable whatever the schema requires.
                added = column if column.server_default is not None else sa.Column(quoted(column.name), column.type)
                text = self._text(CreateColumn(added))
                yield self._grammar.add_column.format(table=preparer.format_table(table), column=text)

    def _add_indexes(self) -> Iterator[str]:
        for table in self._model.public:
            for index in _indexes(table):
                if self._grammar.fold(str(index.name)) not in self._inventory.indexes:
                    yield self._text(CreateIndex(index))

    def _has(self, table: sa.Table) -> bool:
        return self._grammar.fold(table.name) in self._inventory.columns

    def _missing(self, table: sa.Table) -> list[sa.Column[object]]:
        fold = self._grammar.fold
        present = self._inventory.columns[fold(table.name)]
        return [column for column in table.columns if fold(column.name) not in present]

    def _text(self, element: sa.ClauseElement) -> str:
        return str(element.compile(dialect=self._grammar.compiler)).strip()


_KEY = "the column is missing, and as part of the key it cannot be added"


def _indexes(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))
