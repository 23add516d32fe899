"""What has to be done to a database before its tables can be used, where no rows are at stake: tables are made, told to
differ, or dropped for the log to refill. How tables with rows follow a schema is `alteration`'s."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.inventory import Inventory
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.standing import Standing, of
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import Conflict, Fault
from octonet.kernel.storage import Strategy


class Migration:
    """What has to be done to a database, by the look of its inventory."""

    def __init__(self, model: Model, grammar: Grammar, inventory: Inventory, before: Standing | None = None) -> None:
        self._model = model
        self._grammar = grammar
        self._inventory = inventory
        self._before = before or Standing()

    def statements(self, strategy: Strategy) -> list[str]:
        """The SQL to run, in order. Raises `Conflict`, code SCHEMA_MISMATCH, for a difference that the strategy
        tells of. Where it says to update, only Octonet's own tables are made here."""
        match strategy:
            case Strategy.CREATE | Strategy.CREATE_DROP:
                return [*self.drop(), *self._create([*self._model.private, *self._model.public])]
            case Strategy.VALIDATE:
                self._refuse(list(self._differences()))
        return list(self._create([table for table in self._model.private if not self._has(table)]))

    def drop(self) -> Iterator[str]:
        """Removes every table of the model that is there, and those that earlier schemas left."""
        tables = {str(table.name): table for table in (*self._model.public, *self._model.private)}
        left = {name: sa.Table(quoted(name), sa.MetaData()) for name in self._before.tables if name not in tables}
        for table in (*left.values(), *tables.values()):
            if self._has(table):
                yield self._text(DropTable(table))

    def _differences(self) -> Iterator[Fault]:
        for table in self._model.public:
            if not self._has(table):
                yield Fault(str(table.name), "the table is missing")
                continue
            for column in self._missing(table):
                yield Fault(f"{table.name}.{column.key}", "the column is missing")
            yield from self._of_other_types(table)

    def _of_other_types(self, table: sa.Table) -> Iterator[Fault]:
        stands, wanted = (
            self._before.tables.get(str(table.name)),
            of(self._model, self._grammar).tables[str(table.name)],
        )
        keys = {str(column.name): column.key for column in table.columns}
        for name, column in wanted.columns.items() if stands is not None else ():
            old = stands.columns.get(name) if stands is not None else None
            if old is not None and old.type is not column.type:
                yield Fault(f"{table.name}.{keys[name]}", f"the column holds a {old.type}, not a {column.type}")

    def _refuse(self, faults: list[Fault]) -> None:
        if faults:
            listed = "; ".join(f"{fault.path}: {fault.message}" for fault in faults)
            raise Conflict(
                f"the database does not fit the schema: {listed}", code="SCHEMA_MISMATCH", faults=tuple(faults)
            )

    def _create(self, tables: list[sa.Table]) -> Iterator[str]:
        for table in tables:
            yield self._text(CreateTable(table))
        yield from (self._text(CreateIndex(index)) for table in tables for index in _indexes(table))

    def _has(self, table: sa.Table) -> bool:
        return self._grammar.fold(table.name) in self._inventory.columns

    def _missing(self, table: sa.Table) -> list[sa.Column[object]]:
        fold = self._grammar.fold
        present = self._inventory.columns[fold(table.name)]
        return [column for column in table.columns if fold(column.name) not in present]

    def _text(self, element: sa.ClauseElement) -> str:
        return str(element.compile(dialect=self._grammar.compiler)).strip()


def _indexes(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))
