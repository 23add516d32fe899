"""What differs between two schemas of a project, in a fixed order, each with what it does to rows that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from octonet.kernel import field_diff, relation_diff
from octonet.kernel.difference import Change, Difference, Effect
from octonet.kernel.faults import step
from octonet.kernel.schema import CREATED_AT, DELETED_AT, UPDATED_AT, EntitySchema, Index, Schemas


def diff(before: Schemas, after: Schemas) -> tuple[Difference, ...]:
    """Entity by entity, as they stand in `before`, then the new ones as in `after`; within each its own members, the
    fields, the relations, the indexes. Empty for schemas that mean the same, whatever the order of their members."""
    return tuple(_schemas(before, after))


def _schemas(before: Schemas, after: Schemas) -> Iterator[Difference]:
    renamed = _renamed(before, after)
    for was in before.entities.values():
        now = after.entities.get(was.name)
        if now is None and was.name in renamed:
            now = renamed[was.name]
            sentence = f"{was.name} is now called {now.name}: its rows are those of the collection {was.collection}"
            yield Difference(now.name, step("$", now.name), Change.ENTITY_RENAMED, Effect.SAFE, sentence)
        if now is None:
            sentence = f"there is no {was.name} any more: its rows are no longer part of the project"
            yield Difference(was.name, step("$", was.name), Change.ENTITY_REMOVED, Effect.LOSES, sentence)
        elif was != now:
            yield from _entity(was, now)
    known = {*before.entities, *(now.name for now in renamed.values())}
    for new in after.entities.values():
        if new.name not in known:
            sentence = f"there is a new entity {new.name}"
            yield Difference(new.name, step("$", new.name), Change.ENTITY_ADDED, Effect.SAFE, sentence)


def _renamed(before: Schemas, after: Schemas) -> dict[str, EntitySchema]:
    """Entities that went, by name, with the new ones that took over their collection."""
    new = {now.collection: now for now in after.entities.values() if now.name not in before.entities}
    return {
        was.name: new[was.collection]
        for was in before.entities.values()
        if was.name not in after.entities and was.collection in new
    }


def _entity(before: EntitySchema, after: EntitySchema) -> Iterator[Difference]:
    path = step("$", after.name)
    yield from _own(before, after, path)
    for name in _both(before.fields, after.fields):
        place = step(step(path, "fields"), name)
        yield from field_diff.diff(after.name, before.fields.get(name), after.fields.get(name), place)
    for name in _both(before.relations, after.relations):
        place = step(step(path, "relations"), name)
        yield from relation_diff.diff(after.name, before.relations.get(name), after.relations.get(name), place)
    yield from _indexes(before, after, step(path, "indexes"))


def _own(before: EntitySchema, after: EntitySchema, path: str) -> Iterator[Difference]:
    def told(key: str, kind: Change, effect: Effect, sentence: str) -> Difference:
        return Difference(after.name, step(path, key), kind, effect, sentence)

    if before.collection != after.collection:
        sentence = f"the collection {before.collection} is now called {after.collection}; its rows stay"
        yield told("collection", Change.COLLECTION_RENAMED, Effect.SAFE, sentence)
    if before.timestamps != after.timestamps:
        kind = Change.TIMESTAMPS_ADDED if after.timestamps else Change.TIMESTAMPS_REMOVED
        yield told("timestamps", kind, *_system(before, after, (CREATED_AT, UPDATED_AT)))
    if before.soft_delete != after.soft_delete:
        kind = Change.SOFT_DELETE_ADDED if after.soft_delete else Change.SOFT_DELETE_REMOVED
        yield told("softDelete", kind, *_system(before, after, (DELETED_AT,)))
    if (before.discriminator, before.discriminator_value) != (after.discriminator, after.discriminator_value):
        effect = Effect.LOSES if after.discriminator_value else Effect.SAFE
        shown = (
            f"only rows with {after.discriminator} {after.discriminator_value}" if after.discriminator else "all rows"
        )
        yield told("discriminator", Change.DISCRIMINATOR_CHANGED, effect, f"{after.name} shows {shown}")


def _system(before: EntitySchema, after: EntitySchema, columns: tuple[str, ...]) -> tuple[Effect, str]:
    """The effect on columns that the server keeps, and a sentence."""
    listed = " and ".join(columns)
    lost = [name for name in columns if name in before.columns and name not in after.columns]
    if lost:
        return Effect.LOSES, f"{after.name} has no {listed} any more: what rows hold there is lost"
    kept = [name for name in columns if name in after.columns]
    return Effect.SAFE, f"{after.name} {'has' if kept else 'keeps no'} {listed}"


def _indexes(before: EntitySchema, after: EntitySchema, path: str) -> Iterator[Difference]:
    for number, index in _surplus(before.indexes, after.indexes):
        sentence = f"{after.name} has no {_named(index)} any more"
        yield Difference(after.name, f"{path}[{number}]", Change.INDEX_REMOVED, Effect.SAFE, sentence)
    for number, index in _surplus(after.indexes, before.indexes):
        effect = Effect.MAY_FAIL if index.unique else Effect.SAFE
        condition = ": no two rows may share its values" if index.unique else ""
        sentence = f"{after.name} has a new {_named(index)}{condition}"
        yield Difference(after.name, f"{path}[{number}]", Change.INDEX_ADDED, effect, sentence)


def _named(index: Index) -> str:
    columns = ", ".join(name for name, _ in index.fields)
    return f"{'unique ' if index.unique else ''}index over {columns}"


def _surplus(indexes: Iterable[Index], others: Iterable[Index]) -> Iterator[tuple[int, Index]]:
    """Those that the others lack, with their numbers; of equal ones as many as are too many."""
    left = Counter(others)
    for number, index in enumerate(indexes):
        if left[index] > 0:
            left[index] -= 1
        else:
            yield number, index


def _both(before: Iterable[str], after: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys([*before, *after])
