"""A schema out of an existing database. What a schema cannot say is told as a note, never left out in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from octonet.kernel.document import COLLECTION, LONGEST_NAME, NAME
from octonet.kernel.ids import JsonValue
from octonet.kernel.reflected import ReflectedColumn, ReflectedIndex, ReflectedReference, ReflectedTable
from octonet.kernel.schema import CREATED_AT, DELETED_AT, ID, UPDATED_AT, VERSION_COLUMN, FieldType, OnDelete

_OURS: Final = ("octonet_", "sqlite_")
_TEXTS: Final = (FieldType.STRING, FieldType.TEXT)
_ENDING: Final = re.compile(r"(?<=[a-z0-9])(_id|Id|_ID|ID)$")
_PLURALS: Final = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("ss", "ss"), ("s", ""))
_IRREGULAR: Final = {"people": "person", "men": "man", "women": "woman", "children": "child", "series": "series"}


class Introspected(msgspec.Struct, frozen=True):
    """The entities, as a schema file holds them, and what it does not hold, in sentences."""

    entities: list[JsonValue]
    notes: list[str]


def introspect(tables: Sequence[ReflectedTable]) -> Introspected:
    """The schema of these tables: one entity for each, but for those that only link two others."""
    notes: list[str] = []
    kept = [table for table in tables if _is_wanted(table, notes)]
    names = _names(kept)
    junctions = {table.name: link for table in kept if (link := _link(table, names)) is not None}
    entities: list[JsonValue] = []
    for table in kept:
        if table.name not in junctions:
            links = [(name, target) for name, (owner, target) in junctions.items() if owner == table.name]
            entities.append(_Entity(table, names, notes).described(links))
    return Introspected(entities, notes)


def _is_wanted(table: ReflectedTable, notes: list[str]) -> bool:
    if table.name.lower().startswith(_OURS):
        return False
    if COLLECTION.fullmatch(table.name) is None or len(table.name) > LONGEST_NAME:
        notes.append(f"table {table.name!r} is left out: that is no name of a collection")
        return False
    return True


def _names(tables: Sequence[ReflectedTable]) -> dict[str, str]:
    """Table → the name of its entity: in the singular where that is nobody else's."""
    found: dict[str, str] = {}
    taken = {table.name.lower() for table in tables}
    for table in tables:
        whole = "".join(word[:1].upper() + word[1:] for word in re.split(r"[_-]+", table.name) if word)
        last = re.search(r"[A-Z]?[a-z0-9]+$", whole)
        head, tail = (whole[: last.start()], last.group()) if last else (whole, "")
        singular = head + _singular(tail)
        others = {*found.values(), *(taken - {table.name.lower()})}
        free = [name for name in (singular, whole, f"{whole}Row") if name not in others and name.lower() not in others]
        found[table.name] = free[0] if free else f"{whole}{len(found)}"
    return found


def _singular(word: str) -> str:
    irregular = _IRREGULAR.get(word.lower())
    if irregular is not None:
        return word[0] + irregular[1:]
    for ending, instead in _PLURALS:
        if word.lower().endswith(ending) and len(word) > len(ending) + 1:
            return word[: len(word) - len(ending)] + instead
    return word


def _link(table: ReflectedTable, names: Mapping[str, str]) -> tuple[str, str] | None:
    """The owner's and the target's table, where this one is what Octonet would make of a link between them."""
    columns = tuple(column.name for column in table.columns)
    if len(columns) != 2 or set(table.key) != set(columns):
        return None
    targets = {one.columns[0]: one.table for one in table.references if len(one.columns) == 1 and one.target == (ID,)}
    owner, target = (targets.get(column, "") for column in columns)
    if owner not in names or target not in names:
        return None
    source_column, target_column = f"{names[owner].lower()}Id", f"{names[target].lower()}Id"
    if source_column == target_column:
        target_column = f"related{names[target]}Id"
    return (owner, target) if columns == (source_column, target_column) else None


class _Entity:
    """One table on its way to an entity."""

    def __init__(self, table: ReflectedTable, names: Mapping[str, str], notes: list[str]) -> None:
        self._table = table
        self._names = names
        self._notes = notes
        self._columns = {column.name: column for column in table.columns}
        self._types = {column.name: column.type for column in table.columns}
        self._unique = {index.columns[0] for index in table.indexes if index.unique and len(index.columns) == 1}
        dates = [name for name in (CREATED_AT, UPDATED_AT) if self._types.get(name) is FieldType.DATE]
        self._timestamps = len(dates) == len((CREATED_AT, UPDATED_AT))
        deleted = self._columns.get(DELETED_AT)
        self._soft = deleted is not None and deleted.type is FieldType.DATE and not deleted.required
        kept = (CREATED_AT, UPDATED_AT) if self._timestamps else ()
        self._system = {VERSION_COLUMN, *kept, *((DELETED_AT,) if self._soft else ())}

    def described(self, links: Sequence[tuple[str, str]]) -> dict[str, JsonValue]:
        """As a schema file holds it; `links` are the junctions that it owns, with their targets."""
        self._tell_of_the_key()
        relations = dict(self._relations())
        joined = {str(one.get("joinColumn", name)) for name, one in relations.items()}
        fields = dict(self._fields(joined))
        for junction, target in links:
            name = self._free(junction.removeprefix(f"{self._table.name}_"), {*fields, *relations, *joined}, junction)
            relations[name] = {"target": self._names[target], "type": "many-to-many", "through": junction}
        entity: dict[str, JsonValue] = {"name": self._names[self._table.name], "collection": self._table.name}
        entity["fields"] = {**fields}
        if relations:
            entity["relations"] = {**relations}
        if indexes := list(self._indexes({*fields, *joined, *self._system}, joined)):
            entity["indexes"] = indexes
        if self._timestamps:
            entity["timestamps"] = True
        if self._soft:
            entity["softDelete"] = True
        return entity

    def _tell_of_the_key(self) -> None:
        key, column = self._table.key, self._columns.get(ID)
        if key != (ID,):
            told = f"its key is {', '.join(key)}" if key else "it has no key"
            self._note(f"{told}; Octonet gives every row an id of its own")
        if column is not None and column.type not in _TEXTS:
            self._note(f"its id is of type {column.told}; Octonet's ids are texts, so the rows have to be loaded anew")

    def _relations(self) -> Iterator[tuple[str, dict[str, JsonValue]]]:
        taken = set(self._columns)
        for reference in self._table.references:
            column = reference.columns[0]
            if len(reference.columns) > 1 or reference.target != (ID,) or reference.table not in self._names:
                names = ", ".join(reference.columns)
                self._note(f"the reference of {names} to {reference.table} is no relation: it is not to an id alone")
                continue
            if not self._is_name(column):
                continue
            name = self._free(_ENDING.sub("", column), taken - {column}, column)
            taken.add(name)
            yield name, self._relation(name, column, reference)

    def _relation(self, name: str, column: str, reference: ReflectedReference) -> dict[str, JsonValue]:
        kind = "one-to-one" if column in self._unique else "many-to-one"
        relation: dict[str, JsonValue] = {"target": self._names[reference.table], "type": kind}
        if name != column:
            relation["joinColumn"] = column
        required = self._columns[column].required
        if required:
            relation["required"] = True
        on_delete = reference.on_delete
        if not (required and on_delete is OnDelete.SET_NULL):
            relation["onDelete"] = on_delete.value
        return relation

    def _fields(self, joined: set[str]) -> Iterator[tuple[str, dict[str, JsonValue]]]:
        for column in self._table.columns:
            if column.name in joined or column.name in self._system or column.name.lower() == ID:
                continue
            if not self._is_name(column.name):
                continue
            if column.type is None:
                self._note(f"column {column.name} is left out: no field holds a {column.told}")
                continue
            yield column.name, self._field(column, column.type)

    def _field(self, column: ReflectedColumn, kind: FieldType) -> dict[str, JsonValue]:
        field: dict[str, JsonValue] = {"type": kind.value}
        if column.required:
            field["required"] = True
        if column.name in self._unique or self._table.key == (column.name,):
            field["unique"] = True
        if column.enum:
            field["enum"] = list(column.enum)
        return field

    def _indexes(self, columns: set[str], joined: set[str]) -> Iterator[JsonValue]:
        indexes = [index for index in self._table.indexes if index.columns != self._table.key]
        if len(self._table.key) > 1:
            indexes.append(ReflectedIndex("the key", self._table.key, True))
        for index in indexes:
            if len(index.columns) == 1 and (index.unique or index.columns[0] in joined or index.columns == (ID,)):
                continue
            if not set(index.columns) <= columns:
                self._note(f"index {index.name} is left out: it is not over columns alone")
                continue
            described: dict[str, JsonValue] = {"fields": dict.fromkeys(index.columns, "asc")}
            yield {**described, "unique": True} if index.unique else described

    def _is_name(self, column: str) -> bool:
        if NAME.fullmatch(column) is not None and len(column) <= LONGEST_NAME:
            return True
        self._note(f"column {column!r} is left out: that is no name of a field")
        return False

    def _free(self, wanted: str, taken: set[str], instead: str) -> str:
        return wanted if NAME.fullmatch(wanted) and wanted not in taken else instead

    def _note(self, sentence: str) -> None:
        self._notes.append(f"table {self._table.name}: {sentence}")
