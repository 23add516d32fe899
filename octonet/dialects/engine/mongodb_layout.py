"""How the rows of a project lie in collections: one document for each row, with its links and the keys of its unique
values, so that what belongs to a row is written and read at once.

A document is ``{_id, <column>: value or null, …, _version, _turn, _links, _unique}``: `_turn` numbers the commit that
wrote it last, `_links` holds the sorted ids of each many-to-many relation under the name of its junction, `_unique` a
digest for each unique index in which the row counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec
import sqlalchemy as sa

from octonet.dialects.engine import model as tables
from octonet.dialects.engine.mongodb_server import Document
from octonet.dialects.engine.mongodb_values import decoded, encoded
from octonet.dialects.engine.sqlite_grammar import GRAMMAR as SQLITE
from octonet.dialects.engine.tables import EntityTable, Model
from octonet.kernel.errors import Internal, Invalid
from octonet.kernel.filter import Options
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.schema import DELETED_AT, ID, VERSION_COLUMN, EntitySchema, FieldType, Schemas
from octonet.kernel.storage import Stored

TURN: Final = "_turn"
LINKS: Final = "_links"
UNIQUE: Final = "_unique"
JOURNAL: Final = "octonet_journal"
_OURS: Final = frozenset({"_id", VERSION_COLUMN, TURN, LINKS, UNIQUE})

GRAMMAR: Final = msgspec.structs.replace(
    SQLITE, name="mongodb", longest_name=120, reserved_prefixes=(*SQLITE.reserved_prefixes, "system.")
)
"""That of the tables in which a change of schema is worked out; collections are called like them."""

Key = tuple[str, str]
"""The name of a unique index, and the digest of what it holds of a row."""
IndexKeys = tuple[tuple[str, int], ...]


class Shape(msgspec.Struct, frozen=True):
    """The documents of one entity."""

    schema: EntitySchema
    collection: str
    table: EntityTable
    types: Mapping[str, FieldType]
    links: Mapping[str, str]
    """For each many-to-many relation the name under which its links stand."""
    unique: Mapping[str, tuple[str, ...]]
    """For each unique index its columns."""
    indexes: Mapping[str, IndexKeys]

    def document(self, row: Stored, turn: int) -> Document:
        """A row as a document; a column the row does not know is null, so that facts older than it can be folded."""
        state = row.state
        found: Document = {"_id": row.id}
        for name, kind in self.types.items():
            if name != ID:
                found[name] = encoded(kind, state.get(name))
        found[VERSION_COLUMN], found[TURN] = row.version, turn
        if self.links:
            found[LINKS] = {key: _texts(state.get(name)) for name, key in self.links.items()}
        if self.unique:
            found[UNIQUE] = dict(self.keys(row))
        return found

    def normal(self, row: Stored) -> Stored:
        """A row with every column and relation of the entity, and none beside."""
        state: Row = {name: row.state.get(name) for name in self.types} | {ID: row.id}
        state |= {name: list[JsonValue](sorted(_texts(row.state.get(name)))) for name in self.links}
        return Stored(row.id, row.version, state)

    def stored(self, document: Document) -> Stored:
        """The row that a document holds."""
        return Stored(EntityId(str(document["_id"])), version_of(document), self.row(document, self.types, self.links))

    def beside(self, document: Document) -> Document:
        """What a document holds that the schema does not name."""
        return {name: value for name, value in document.items() if name not in self.types and name not in _OURS}

    def row(self, document: Document, columns: Iterable[str], relations: Iterable[str]) -> Row:
        """These columns and relations of the row that a document holds."""
        found: Row = {name: decoded(document.get("_id" if name == ID else name)) for name in columns}
        links = document.get(LINKS)
        for name in relations:
            held: object = links.get(self.links[name]) if isinstance(links, dict) else None
            found[name] = list[JsonValue](_texts(held))
        return found

    def keys(self, row: Stored) -> tuple[Key, ...]:
        """What other rows must not share; nothing of a row that is soft-deleted, nor where a column is null."""
        if not self.unique or (self.schema.soft_delete and row.state.get(DELETED_AT) is not None):
            return ()
        return tuple(self._keys(row.state))

    def _keys(self, state: Row) -> Iterator[Key]:
        for name, columns in self.unique.items():
            values = [state.get(column) for column in columns]
            if all(value is not None for value in values):
                text = msgspec.json.encode([name, *map(decoded, values)], order="sorted")
                yield name, hashlib.sha256(text).hexdigest()[:40]

    def shown(self, options: Options) -> tuple[list[str], list[str]]:
        """The columns and the relations that a query may show."""
        select, exclude = frozenset(options.select), frozenset(options.exclude)

        def wanted(name: str) -> bool:
            return name == ID or (name not in exclude and (not select or name in select))

        columns = [name for name in self.types if name not in self.schema.secrets and wanted(name)]
        return columns, [name for name in self.links if wanted(name)]


class Layout(msgspec.Struct, frozen=True):
    """All collections of a project."""

    model: Model
    shapes: Mapping[str, Shape]
    prefix: str

    def shape(self, schema: EntitySchema) -> Shape:
        """The documents of an entity. Raises `Internal` when the database was not opened with it."""
        try:
            return self.shapes[schema.name]
        except KeyError:
            raise Internal(f"the database was opened without the entity {schema.name!r}") from None

    @property
    def checkpoint(self) -> str:
        """The collection of the state: one document."""
        return str(self.model.checkpoint.name)

    @property
    def inbox(self) -> str:
        """The collection of the commands that were decided."""
        return str(self.model.inbox.name)

    @property
    def followed(self) -> str:
        """The collection of the schema that the others follow: one document."""
        return str(self.model.followed.name)

    @property
    def journal(self) -> str:
        """The collection of commits too large for the state's document."""
        return f"{self.prefix}{JOURNAL}"

    @property
    def private(self) -> tuple[str, ...]:
        """The collections that belong to the fold, not to the schema; the state last."""
        return self.journal, self.inbox, self.followed, self.checkpoint


def lay_out(schemas: Schemas, prefix: str) -> Layout:
    """The collections for these schemas. Raises `Invalid` where two of them, or two indexes, would share a name."""
    model = tables.build(schemas, GRAMMAR, prefix)
    shapes = {name: _shape(table, prefix) for name, table in model.entities.items()}
    found = Layout(model, shapes, prefix)
    taken = next((shape for shape in shapes.values() if shape.collection.lower() == found.journal), None)
    if taken is not None:
        raise Invalid(f"the collection of {taken.schema.name} and Octonet's journal would both be called that")
    if "$" in prefix or "\0" in prefix:
        raise Invalid(f"no collection can be called {prefix!r}…: MongoDB keeps the sign $ for itself")
    return found


def link_key(table: str, prefix: str) -> str:
    """The name under which the links of a junction stand in documents: a path cannot hold every prefix."""
    return table.removeprefix(prefix).replace(".", "_")


def version_of(document: Document) -> int:
    """The version in a document."""
    return int(str(document[VERSION_COLUMN]))


def _shape(table: EntityTable, prefix: str) -> Shape:
    unique: dict[str, tuple[str, ...]] = {}
    indexes: dict[str, IndexKeys] = {}
    for index in sorted(table.table.indexes, key=lambda index: str(index.name)):
        columns = tuple(str(column.key) for column in index.columns)
        if index.unique:
            name = "_".join(columns)
            while name in unique:
                name += "_"
            unique[name] = columns
            indexes[str(index.name)] = ((f"{UNIQUE}.{name}", 1),)
        lists = [column for column in columns if table.types[column] in (FieldType.JSON, FieldType.ARRAY)]
        if len(lists) > 1:  # no index of MongoDB holds the elements of two lists
            continue
        terms = tuple((column, _direction(term)) for column, term in zip(columns, index.expressions, strict=True))
        indexes[f"{index.name}_q" if index.unique else str(index.name)] = terms
    links = {name: link_key(str(each.table.name), prefix) for name, each in table.junctions.items()}
    for key in links.values():
        indexes[f"idx_{key}_links"] = ((f"{LINKS}.{key}", 1),)
    return Shape(table.schema, str(table.table.name), table, table.types, links, unique, indexes)


def _direction(term: object) -> int:
    return -1 if isinstance(term, sa.UnaryExpression) else 1


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def chunked(ids: Collection[str], size: int) -> Iterator[list[str]]:
    """The ids, no more than `size` at a time."""
    listed = list(ids)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]
