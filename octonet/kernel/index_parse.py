"""Reads the indexes of an entity, whose columns may be a list or an object of directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from octonet.kernel.document import Document
from octonet.kernel.faults import did_you_mean, quote, step
from octonet.kernel.relation_parse import EntityDraft
from octonet.kernel.schema import ID, Direction, Index

_KEYS: Final = ("fields", "unique", "sparse")
_NUMBERS: Final = {1: Direction.ASC, -1: Direction.DESC}


def parse(entity: EntityDraft) -> tuple[Index, ...]:
    """The indexes, in order; each column must be one of the entity's."""
    items = entity.source.items("indexes")
    return tuple(_index(entity, Document(item, path, entity.source.faults)) for path, item in items)


def _index(entity: EntityDraft, source: Document) -> Index:
    source.only(_KEYS)
    named = source.members.get("fields")
    terms = _ordered(source) if isinstance(named, dict) else ((n, Direction.ASC) for n in source.texts("fields"))
    found: dict[str, Direction] = {}
    for name, direction in terms:
        column = ID if name == ID else entity.column(name)
        if not column:
            near = did_you_mean(name, entity.columns())
            source.fault("fields", f"{quote(name)} is not a column of {entity.name}{near}")
        found[column] = direction
    if not found:
        source.fault("fields", "names no column")
    return Index(tuple(found.items()), source.flag("unique"), source.flag("sparse"))


def _ordered(source: Document) -> Iterator[tuple[str, Direction]]:
    fields = source.inside("fields")
    for name, given in fields.members.items():
        if isinstance(given, int) and not isinstance(given, bool) and given in _NUMBERS:
            yield name, _NUMBERS[given]
        elif isinstance(given, str):
            yield name, fields.choice(name, Direction, Direction.ASC)
        else:
            fields.faults.add(step(fields.path, name), "expected asc, desc or text")
