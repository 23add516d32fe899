"""What the operations mean, said a second time over dicts: no log, no batch, no SQL.

Rows are kept in wire form without the times that only the server knows. A refusal names every code that would be
right, where more than one thing is wrong at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Json: TypeAlias = Any
Row: TypeAlias = dict[str, Json]

TIMES = ("createdAt", "updatedAt", "joined", "born", "due")
SECRET = ("password", "pin")


class Refused(Exception):
    """The request is refused with one of these codes."""

    def __init__(self, *codes: str) -> None:
        super().__init__(" or ".join(codes))
        self.codes = set(codes)


class Model:
    """The rows of every entity of a schema file."""

    def __init__(self, schemas: list[Json]) -> None:
        self.schemas = {schema["name"]: schema for schema in schemas}
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in self.schemas}

    def apply(self, request: Row) -> Json:
        """The data that the request is answered with (of updateMany: the count). Raises `Refused`; then nothing
        happened."""
        members = dict(request)
        op, entity = members.pop("op"), members.pop("entity")
        before = copy.deepcopy(self.rows)
        try:
            return copy.deepcopy(getattr(self, f"_{op}")(entity, **members))
        except Refused:
            self.rows = before
            raise

    # -- commands -----------------------------------------------------------------------------------------------

    def _create(self, entity: str, data: Row) -> Row:
        return self._add(entity, data["id"], self._fitting(entity, data, whole=True))

    def _update(self, entity: str, id: str, data: Row) -> Row | None:
        change = self._fitting(entity, data)
        return self._change(entity, id, change) if self._live(entity, id) else None

    def _upsert(self, entity: str, filter: Row, data: Row) -> Row:
        change = self._fitting(entity, data)
        for id in self._matching(entity, filter):
            return self._change(entity, id, change)
        merged = {name: value for name, value in filter.items() if not isinstance(value, dict)} | data
        return self._add(entity, merged["id"], self._fitting(entity, merged, whole=True))

    def _updateMany(self, entity: str, filter: Row, data: Row) -> int:  # the operation's name
        change = self._fitting(entity, data)
        found = list(self._matching(entity, filter))
        for id in found:
            self._change(entity, id, change)
        return len(found)

    def _delete(self, entity: str, id: str) -> bool:
        if not self._live(entity, id):
            return False
        self._remove(entity, [id])
        return True

    def _deleteMany(self, entity: str, filter: Row) -> int:
        found = list(self._matching(entity, filter))
        self._remove(entity, found)
        return len(found)

    def _increment(self, entity: str, id: str, field: str, amount: float) -> Row:
        row = self._needed(entity, id)
        return self._change(entity, id, {field: (row[field] or 0) + amount})

    def _addToSet(self, entity: str, id: str, field: str, value: Json) -> Row:
        held = self._needed(entity, id)[field] or []
        if value in held:
            return self.rows[entity][id]
        added = [*held, value]
        return self._change(entity, id, {field: sorted(added) if field in self._links(entity) else added})

    def _pull(self, entity: str, id: str, field: str, value: Json) -> Row:
        row = self._needed(entity, id)
        if row[field] is None:
            return row
        return self._change(entity, id, {field: [element for element in row[field] if element != value]})

    # -- queries ------------------------------------------------------------------------------------------------

    def _findById(self, entity: str, id: str) -> Row | None:
        return self.rows[entity][id] if self._live(entity, id) else None

    def _findAll(self, entity: str, filter: Row, options: Row) -> list[Row]:
        found = [self.rows[entity][id] for id in self._matching(entity, filter, options.get("includeDeleted", False))]
        for column, direction in reversed(options.get("sort", {}).items()):
            found.sort(key=lambda row: (row[column] is not None, row[column] or 0), reverse=direction < 0)
        return found[: options.get("limit")]

    def _count(self, entity: str, filter: Row) -> int:
        return len(list(self._matching(entity, filter)))

    # -- how ----------------------------------------------------------------------------------------------------

    def _live(self, entity: str, id: str) -> bool:
        row = self.rows[entity].get(id)
        return row is not None and row.get("deletedAt") is None

    def _needed(self, entity: str, id: str) -> Row:
        if not self._live(entity, id):
            raise Refused("NOT_FOUND")
        return self.rows[entity][id]

    def _links(self, entity: str) -> dict[str, str]:
        relations = self.schemas[entity].get("relations", {}).items()
        return {name: each["target"] for name, each in relations if each["type"] == "many-to-many"}

    def _references(self, entity: str) -> dict[str, Json]:
        relations = self.schemas[entity].get("relations", {}).items()
        return {name: each for name, each in relations if each["type"] == "many-to-one"}

    def _fitting(self, entity: str, data: Row, whole: bool = False) -> Row:
        fields, links, references = self.schemas[entity]["fields"], self._links(entity), self._references(entity)
        columns = {**fields, **references}
        row: Row = {}
        if whole:
            row = {name: columns[name].get("default") for name in columns if name not in (*TIMES, *SECRET)}
            row |= {name: [] for name in links}
        wrong: set[str] = set()
        for name, value in data.items():
            if name in links:
                row[name] = sorted(set(value))
            elif name in columns:
                row[name] = _normal(columns[name], value)
                if value is not None and row[name] not in columns[name].get("enum", [row[name]]):
                    wrong.add("VALIDATION_ERROR")
            elif name != "id":
                wrong.add("UNKNOWN_FIELD")
        if any(row.get(name, "") is None for name, column in columns.items() if column.get("required")):
            wrong.add("VALIDATION_ERROR")
        if wrong:
            raise Refused(*wrong)
        return row

    def _add(self, entity: str, id: str, row: Row) -> Row:
        wrong = {*self._dangling(entity, id, {}, row), *self._taken(entity, "", row)}
        if id in self.rows[entity]:
            wrong.add("DUPLICATE_ID")
        if wrong:
            raise Refused(*wrong)
        gone: Row = {"deletedAt": None} if self.schemas[entity].get("softDelete") else {}
        self.rows[entity][id] = {"id": id, **row, **gone}
        return self.rows[entity][id]

    def _change(self, entity: str, id: str, change: Row) -> Row:
        before = self.rows[entity][id]
        new = {name: value for name, value in change.items() if before[name] != value}
        wrong = {*self._dangling(entity, id, before, new), *self._taken(entity, id, new)}
        if wrong:
            raise Refused(*wrong)
        before.update(new)
        return before

    def _dangling(self, entity: str, id: str, before: Row, new: Row) -> Iterator[str]:
        wanted = [(each["target"], new.get(name)) for name, each in self._references(entity).items()]
        for name, target in self._links(entity).items():
            wanted += [(target, link) for link in new.get(name, []) if link not in before.get(name, [])]
        for target, link in wanted:
            if link is not None and (target, link) != (entity, id) and not self._live(target, link):
                yield "REFERENCE_NOT_FOUND"

    def _taken(self, entity: str, id: str, new: Row) -> Iterator[str]:
        unique = [name for name, field in self.schemas[entity]["fields"].items() if field.get("unique")]
        for name in unique:
            for other, row in self.rows[entity].items():
                if other != id and self._live(entity, other) and row[name] == new.get(name, ...):
                    yield "UNIQUE_VIOLATION"

    def _remove(self, entity: str, ids: list[str]) -> None:
        if self.schemas[entity].get("softDelete"):
            for id in ids:
                self.rows[entity][id]["deletedAt"] = "gone"
            return
        gone = {(entity, id) for id in ids}
        cleared: list[tuple[str, str, str]] = []
        restricted: list[tuple[str, str]] = []
        todo = list(gone)
        while todo:
            target, target_id = todo.pop()
            for name, id, relation, each in self._referring(target, target_id):
                if each["onDelete"] == "cascade" and (name, id) not in gone:
                    gone.add((name, id))
                    todo.append((name, id))
                elif each["onDelete"] == "set-null":
                    cleared.append((name, id, relation))
                elif each["onDelete"] == "restrict":
                    restricted.append((name, id))
        if any(place not in gone for place in restricted):
            raise Refused("STILL_REFERRED_TO")
        for name, id, relation in cleared:
            self.rows[name][id][relation] = None
        for name, id in gone:
            del self.rows[name][id]
        self._unlink(gone)

    def _unlink(self, gone: set[tuple[str, str]]) -> None:
        for owner in self.rows:
            for relation, target in self._links(owner).items():
                for row in self.rows[owner].values():
                    row[relation] = [link for link in row[relation] if (target, link) not in gone]

    def _referring(self, target: str, target_id: str) -> Iterator[tuple[str, str, str, Json]]:
        for name in self.rows:
            for relation, each in self._references(name).items():
                for id, row in self.rows[name].items():
                    if each["target"] == target and row[relation] == target_id:
                        yield name, id, relation, each

    def _matching(self, entity: str, where: Row, deleted: bool = False) -> Iterator[str]:
        for id in sorted(self.rows[entity]):
            row = self.rows[entity][id]
            if (deleted or self._live(entity, id)) and all(_meets(row[name], wanted) for name, wanted in where.items()):
                yield id


def _normal(column: Json, value: Json) -> Json:
    if isinstance(value, str):
        value = value.strip() if column.get("trim") else value
        value = value.lower() if column.get("lowercase") else value
    return value


_MEANS: dict[str, Callable[[Json, Json], bool]] = {
    "$ne": lambda held, wanted: held is not None and held != wanted,
    "$gt": lambda held, wanted: held is not None and held > wanted,
    "$gte": lambda held, wanted: held is not None and held >= wanted,
    "$lt": lambda held, wanted: held is not None and held < wanted,
    "$lte": lambda held, wanted: held is not None and held <= wanted,
    "$in": lambda held, wanted: held in wanted,
    "$nin": lambda held, wanted: held is not None and held not in wanted,
    "$exists": lambda held, wanted: (held is not None) is wanted,
}


def _meets(held: Json, wanted: Json) -> bool:
    if isinstance(wanted, dict):
        return all(_MEANS[operator](held, operand) for operator, operand in wanted.items())
    return bool(held == wanted)
