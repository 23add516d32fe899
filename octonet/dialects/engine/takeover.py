"""Which of the tables that stand go on under which name, when entities or their collections are called otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from octonet.dialects.engine import standing
from octonet.dialects.engine.grammar import Grammar
from octonet.dialects.engine.inventory import Inventory
from octonet.dialects.engine.obstacles import refuse
from octonet.dialects.engine.reshape import Reshape
from octonet.dialects.engine.standing import Standing, StandingTable
from octonet.dialects.engine.tables import EntityTable, Junction, Model
from octonet.kernel.errors import Fault
from octonet.kernel.faults import quote, step


class Takeover:
    """Finds out, table by table."""

    def __init__(self, model: Model, grammar: Grammar, before: Standing, there: Inventory, *, drop: bool) -> None:
        self._model = model
        self._fold = grammar.fold
        self._reshape = Reshape(grammar)
        self._there = {*there.columns}
        self._tables = dict(before.tables)
        self._indexes = before.indexes
        self._drop = drop
        self._entities: dict[str, str] = {}
        """What entities that are called otherwise now were called."""
        self.moved: dict[str, str] = {}
        """Names that tables of entities had, and have now."""
        self._faults: list[Fault] = []

    @property
    def standing(self) -> Standing:
        """What stands when the statements were run."""
        return Standing(self._tables, self._indexes)

    def statements(self) -> list[str]:
        """The SQL. Raises `Conflict`, code SCHEMA_CONFLICT, where a name is taken by rows that would be lost."""
        found = [text for entity in self._model.entities.values() for text in self._entity(entity)]
        for entity in self._model.entities.values():
            for junction in entity.junctions.values():
                found += self._junction(entity, junction)
        refuse(self._faults)
        return found

    def _entity(self, entity: EntityTable) -> Iterator[str]:
        name, own = str(entity.table.name), entity.schema.name
        if self._fold(name) not in self._there:
            source = self._source(own, lambda table: not table.target)
            if source is not None:
                self.moved[source] = name
                yield from self._rename(source, name)
            return
        old = self._tables.get(name)
        if old is None or (old.owner == own and not old.target):
            return
        if old.used and not old.target and old.owner not in self._model.entities:
            self._entities[old.owner] = own
            return
        yield from self._make_room(step(step("$", own), "collection"), name, old, free=not old.used)

    def _junction(self, entity: EntityTable, junction: Junction) -> Iterator[str]:
        name, relation = str(junction.table.name), junction.relation
        target = str(self._model.entities[relation.target].table.name)

        def same(table: StandingTable) -> bool:
            return self.moved.get(table.target, table.target) == target

        if self._fold(name) in self._there:
            old = self._tables.get(name)
            source = self._entity_of(old) if old is not None else ""
            if old is not None and not (same(old) and source == entity.schema.name):
                place = step(step(step("$", entity.schema.name), "relations"), relation.name)
                yield from self._make_room(place, name, old, free=bool(old.target) or not old.used)
                return
        else:
            found = self._source(standing.owner(entity, junction), same)
            if found is None:
                return
            yield from self._rename(found, name)
        yield from self._name_columns(name, junction)

    def _name_columns(self, name: str, junction: Junction) -> Iterator[str]:
        """The columns of a table of links are called after the entities at its ends."""
        old = self._tables.get(name)
        wanted = [str(column.name) for column in junction.table.columns]
        before = zip(wanted, old.columns if old is not None else (), strict=False)
        yield from self._reshape.rename_columns(junction.table, {to: column for to, column in before if column != to})

    def _source(self, owner: str, fits: Callable[[StandingTable], bool]) -> str | None:
        """The table of this owner that nobody else wants; one in use before one that was given up."""
        wanted = {self._fold(str(table.name)) for table in self._model.public}
        found = [
            name
            for name, table in self._tables.items()
            if self._named(table) == owner and fits(table)
            and self._fold(name) in self._there and self._fold(name) not in wanted
        ]  # fmt: skip
        return next(iter(sorted(found, key=lambda name: not self._tables[name].used)), None)

    def _named(self, table: StandingTable) -> str:
        """The owner of a table, as it is called now."""
        entity, dot, relation = table.owner.partition(".")
        return f"{self._entities.get(entity, entity)}{dot}{relation}"

    def _entity_of(self, table: StandingTable) -> str:
        return self._named(table).partition(".")[0]

    def _rename(self, source: str, name: str) -> Iterator[str]:
        self._tables[name] = self._tables.pop(source)
        self._there.discard(self._fold(source))
        self._there.add(self._fold(name))
        yield self._reshape.rename(source, name)

    def _make_room(self, place: str, name: str, old: StandingTable, *, free: bool) -> Iterator[str]:
        if self._drop and free:
            del self._tables[name]
            yield self._reshape.drop(name)
            return
        what = "the links" if old.target else "the rows"
        advice = "confirm that they are dropped, or choose another name" if free else "change one name at a time"
        self._faults.append(Fault(place, f"the table {quote(name)} holds {what} of {old.owner}: {advice}"))
