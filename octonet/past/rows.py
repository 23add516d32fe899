"""Rows as they were, told by the entities of today."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from octonet.kernel.filter import Options
from octonet.kernel.ids import Row
from octonet.kernel.past import Version
from octonet.kernel.schema import DELETED_AT, ID, EntitySchema, RelationKind, Schemas
from octonet.kernel.sealing import is_sealed
from octonet.past.fitting import Fitting
from octonet.past.names import Change, Span, changed, spans, stood

_row: Final = msgspec.json.Decoder(dict)
_NEVER: Final = sys.maxsize


class Told:
    """How the rows of one project are found and told. `changes` are those of the schema, the newest first."""

    def __init__(self, schemas: Schemas, changes: Sequence[Change]) -> None:
        self._schemas = schemas
        self._changes = changes
        self._since: dict[str, int] = {}

    def spans(self, entity: str, at: int) -> list[Span]:
        """Where the versions of an entity's rows stand, up to a place, the newest first."""
        return spans(self._schemas, self._changes, entity, at)

    def state(self, schema: EntitySchema, version: Version, at: int) -> Row:
        """Every column but the id, and every link, as it was at a place; secrets are null. Raises `Conflict` with code
        SCHEMA_CONFLICT where a value of then does not fit what its field is now."""
        assert version.data is not None
        values: Row = _row.decode(version.data)
        values.pop(ID, None)
        if version.position.entry < self._unchanged_since(schema):
            (base, _), *since = changed(self._changes, schema, version.position.entry, at) or [(schema, False)]
            before = stood(self._changes, schema, version.position.entry)
            fitting = Fitting(base, before, version.id, values)
            for then, dropped in since:
                fitting.change(then, dropped=dropped)
            values = fitting.change(schema)
        return _whole(schema, values)

    def _unchanged_since(self, schema: EntitySchema) -> int:
        """The entry from which on facts of the entity were written as it is now."""
        since = self._since.get(schema.name)
        if since is None:
            since = self._since[schema.name] = _beginning(schema, self._changes)
        return since


def _whole(schema: EntitySchema, values: Row) -> Row:
    """Every column but the id, and every link; secrets are null."""
    secrets = schema.secrets
    row: Row = {
        name: None if name in secrets or is_sealed(values.get(name)) else values.get(name)
        for name in schema.columns
        if name != ID
    }
    for relation in schema.links:
        row[relation.name] = values.get(relation.name) or []
    return row


def _beginning(schema: EntitySchema, changes: Iterable[Change]) -> int:
    since = 0
    for change in changes:
        if change.schemas.entities.get(schema.name) != schema:
            # Where the newest is another one already, today's has not come into the log yet.
            return since or _NEVER
        since = change.entry
    return 0


def shown(schema: EntitySchema, state: Row, version: Version, options: Options) -> Row | None:
    """What a query by id shows of a row; None where it does not see it."""
    if schema.soft_delete and not options.include_deleted and state[DELETED_AT] is not None:
        return None
    kind = schema.discriminator_value
    if kind and schema.discriminator and state[schema.discriminator] != kind:
        return None
    names = (*(name for name in schema.columns if name not in schema.secrets), *(link.name for link in schema.links))
    whole = {ID: version.id, **state}
    select, exclude = frozenset(options.select), frozenset(options.exclude)
    return {
        name: whole[name] for name in names if name == ID or (name not in exclude and (not select or name in select))
    }


def lenient(schemas: Schemas, name: str) -> Schemas:
    """An entity without any constraint, which rows of the past need not meet any more; and, as far as its links need
    them, those that it refers to."""
    schema = schemas.entities[name]
    targets = {relation.target: schemas.entities[relation.target] for relation in schema.relations.values()}
    bare = {target: replace(_lenient(found), relations={}, indexes=()) for target, found in targets.items()}
    return Schemas({**bare, name: _lenient(schema)}, schemas.source)


def _lenient(schema: EntitySchema) -> EntitySchema:
    fields = {name: replace(field, required=False, unique=False) for name, field in schema.fields.items()}
    relations = {name: replace(relation, required=False) for name, relation in schema.relations.items()}
    for name, relation in relations.items():
        if relation.kind is RelationKind.ONE_TO_ONE:
            relations[name] = replace(relation, kind=RelationKind.MANY_TO_ONE)
    indexes = tuple(replace(index, unique=False) for index in schema.indexes)
    return replace(schema, fields=fields, relations=relations, indexes=indexes)
