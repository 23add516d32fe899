"""What differs between two declarations of a field."""

from __future__ import annotations

from collections.abc import Iterator

from octonet.kernel.conversion import Keeps, keeps
from octonet.kernel.difference import Change, Difference, Effect
from octonet.kernel.faults import step
from octonet.kernel.schema import Field

_EFFECTS = {Keeps.ALL: Effect.SAFE, Keeps.SOME: Effect.MAY_FAIL, Keeps.NONE: Effect.LOSES}
_TOLD = {
    Keeps.ALL: "every value becomes one",
    Keeps.SOME: "every value that there is must be one",
    Keeps.NONE: "no value can be kept",
}


def diff(entity: str, before: Field | None, after: Field | None, path: str) -> Iterator[Difference]:
    """The differences, `path` being that of the field. None where there is no such field."""
    if before is None and after is not None:
        yield _added(entity, after, path)
    elif before is not None and after is None:
        sentence = f"{entity} has no field {before.name} any more: its values are no longer part of the rows"
        yield Difference(entity, path, Change.FIELD_REMOVED, Effect.LOSES, sentence)
    elif before is not None and after is not None and before != after:
        yield from _changed(entity, before, after, path)


def _added(entity: str, field: Field, path: str) -> Difference:
    name = f"{entity} has a new field {field.name}"
    if field.required and field.default is None:
        return Difference(
            entity, path, Change.FIELD_ADDED, Effect.MAY_FAIL,
            f"{name}, required and without a default: there may be no rows yet",
        )  # fmt: skip
    if field.unique and field.default is not None:
        return Difference(
            entity, path, Change.FIELD_ADDED, Effect.MAY_FAIL,
            f"{name}, unique and with a default: only one row can have it",
        )  # fmt: skip
    told = "null" if field.default is None else "its default"
    return Difference(entity, path, Change.FIELD_ADDED, Effect.SAFE, f"{name}: rows that are there get {told}")


def _changed(entity: str, before: Field, after: Field, path: str) -> Iterator[Difference]:
    def told(key: str, kind: Change, effect: Effect, sentence: str) -> Difference:
        return Difference(entity, step(path, key), kind, effect, f"{entity}.{after.name} {sentence}")

    if before.type is not after.type:
        kept = keeps(before.type, after.type)
        sentence = f"was a {before.type} and is now a {after.type}: {_TOLD[kept]}"
        yield told("type", Change.TYPE_CHANGED, _EFFECTS[kept], sentence)
    elif before.array_of != after.array_of:
        effect = Effect.SAFE if after.array_of is None else Effect.MAY_FAIL
        yield told("arrayOf", Change.ELEMENTS_CHANGED, effect, "has elements of another kind")
    if not before.required and after.required:
        if after.default is None:
            yield told("required", Change.REQUIRED_ADDED, Effect.MAY_FAIL, "is now required: no row may lack it")
        else:
            yield told("required", Change.REQUIRED_ADDED, Effect.SAFE, "is now required: rows get its default")
    elif before.required and not after.required:
        yield told("required", Change.REQUIRED_REMOVED, Effect.SAFE, "is no longer required")
    if not before.unique and after.unique:
        yield told("unique", Change.UNIQUE_ADDED, Effect.MAY_FAIL, "is now unique: no two rows may share a value")
    elif before.unique and not after.unique:
        yield told("unique", Change.UNIQUE_REMOVED, Effect.SAFE, "is no longer unique")
    yield from _enum(entity, before, after, path)
    if (before.default, before.default_now) != (after.default, after.default_now):
        yield told("default", Change.DEFAULT_CHANGED, Effect.SAFE, "has another default for new rows")
    for key, kind, was, now in (
        ("lowercase", Change.SPELLING_CHANGED, before.lowercase, after.lowercase),
        ("trim", Change.SPELLING_CHANGED, before.trim, after.trim),
        ("sparse", Change.SPARSE_CHANGED, before.sparse, after.sparse),
        ("sensitive", Change.SENSITIVE_CHANGED, before.sensitive, after.sensitive),
    ):
        if was != now:
            yield told(key, kind, Effect.SAFE, f"is {'now' if now else 'no longer'} {key}; rows stay as they are")


def narrowed(before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    """Whether a value that the one enum allows may be outside the other. An empty one allows everything."""
    return bool(after) and (not before or not set(before) <= set(after))


def _enum(entity: str, before: Field, after: Field, path: str) -> Iterator[Difference]:
    if set(before.enum) == set(after.enum):
        return
    place, name = step(path, "enum"), f"{entity}.{after.name}"
    if narrowed(before.enum, after.enum):
        gone = ", ".join(choice for choice in before.enum if choice not in after.enum) or "anything else"
        sentence = f"{name} no longer takes {gone}: no row may hold it"
        yield Difference(entity, place, Change.ENUM_NARROWED, Effect.MAY_FAIL, sentence)
    else:
        yield Difference(entity, place, Change.ENUM_WIDENED, Effect.SAFE, f"{name} takes more values")
