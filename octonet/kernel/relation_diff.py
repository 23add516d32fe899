"""What differs between two declarations of a relation."""

from __future__ import annotations

from collections.abc import Iterator

from octonet.kernel.difference import Change, Difference, Effect
from octonet.kernel.faults import step
from octonet.kernel.schema import Relation, RelationKind


def diff(entity: str, before: Relation | None, after: Relation | None, path: str) -> Iterator[Difference]:
    """The differences, `path` being that of the relation. None where there is no such relation."""
    if before is None and after is not None:
        yield _added(entity, after, path)
    elif before is not None and after is None:
        effect = Effect.LOSES if _stores(before) else Effect.SAFE
        told = "what rows refer to by it is lost" if _stores(before) else "its other side stays"
        sentence = f"{entity} has no relation {before.name} any more: {told}"
        yield Difference(entity, path, Change.RELATION_REMOVED, effect, sentence)
    elif before is not None and after is not None:
        yield from _changed(entity, before, after, path)


def _stores(relation: Relation) -> bool:
    """Whether rows or links of their own hold it."""
    return relation.kind is not RelationKind.ONE_TO_MANY


def _added(entity: str, relation: Relation, path: str) -> Difference:
    name = f"{entity} has a new relation {relation.name} to {relation.target}"
    if relation.required:
        sentence = f"{name}, required: there may be no rows yet"
        return Difference(entity, path, Change.RELATION_ADDED, Effect.MAY_FAIL, sentence)
    return Difference(entity, path, Change.RELATION_ADDED, Effect.SAFE, name)


def _changed(entity: str, before: Relation, after: Relation, path: str) -> Iterator[Difference]:
    def told(key: str, effect: Effect, sentence: str, kind: Change = Change.RELATION_CHANGED) -> Difference:
        return Difference(entity, step(path, key), kind, effect, f"{entity}.{after.name} {sentence}")

    if before.kind is not after.kind:
        sentence = f"was {before.kind} and is now {after.kind}"
        yield told("type", _of_kinds(before, after), sentence)
    if before.target != after.target:
        sentence = f"led to {before.target} and leads now to {after.target}"
        yield told("target", _of_targets(before, after), sentence)
    if before.kind is after.kind and before.column != after.column:
        effect = Effect.LOSES if after.owns_column else Effect.SAFE
        key = "joinColumn" if after.owns_column else "mappedBy"
        yield told(key, effect, f"was held by {before.column} and is now by {after.column}")
    if before.kind is after.kind and before.through != after.through:
        sentence = f"keeps its links in {after.through}, which was called {before.through}"
        yield told("through", Effect.SAFE, sentence)
    if before.required != after.required:
        kind = Change.REQUIRED_ADDED if after.required else Change.REQUIRED_REMOVED
        effect = Effect.MAY_FAIL if after.required else Effect.SAFE
        told_now = "now required: no row may lack it" if after.required else "no longer required"
        yield told("required", effect, f"is {told_now}", kind)
    for key, was, now in (
        ("onDelete", str(before.on_delete), str(after.on_delete)),
        ("fetch", str(before.fetch), str(after.fetch)),
        ("select", ", ".join(before.select) or "everything", ", ".join(after.select) or "everything"),
    ):
        if was != now:
            yield told(key, Effect.SAFE, f"has {key} {now} instead of {was}")


def _of_kinds(before: Relation, after: Relation) -> Effect:
    if before.owns_column and after.owns_column:
        return Effect.MAY_FAIL if after.kind is RelationKind.ONE_TO_ONE else Effect.SAFE
    if _stores(before):
        return Effect.LOSES
    return Effect.MAY_FAIL if after.required else Effect.SAFE


def _of_targets(before: Relation, after: Relation) -> Effect:
    if not (_stores(before) and _stores(after)):
        return Effect.SAFE
    return Effect.MAY_FAIL if before.owns_column and after.owns_column else Effect.LOSES
