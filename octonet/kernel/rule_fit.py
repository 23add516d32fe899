"""Whether the rows of one project can be carried into another, by their schemas alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from octonet.kernel.errors import Fault
from octonet.kernel.field_diff import narrowed
from octonet.kernel.schema import EntitySchema, Field, Relation, Schemas


def misfits(source: Schemas, target: Schemas, names: Sequence[str]) -> list[Fault]:
    """What stands against carrying rows of these entities, which both have: where in the target's schema, and why."""
    return [fault for name in names for fault in _entity(source.entities[name], target.entities[name])]


def _entity(source: EntitySchema, target: EntitySchema) -> Iterator[Fault]:
    place = f"$.{target.name}"
    for name, field in target.fields.items():
        yield from (Fault(f"{place}.{name}", why) for why in _field(source.fields.get(name), field))
    for name, relation in target.relations.items():
        yield from (Fault(f"{place}.{name}", why) for why in _relation(source.relations.get(name), relation))
    for column in target.columns.values():
        theirs = source.columns.get(column.name)
        if theirs is not None and theirs.secret and not column.secret:
            yield Fault(f"{place}.{column.name}", "is secret in the source, and would not be here: mark it sensitive")
    if source.discriminator_value != target.discriminator_value:
        yield Fault(place, "is another kind of the rows of its collection than in the source")


def _field(theirs: Field | None, ours: Field) -> Iterable[str]:
    if theirs is None:
        if ours.required and ours.default is None and not ours.default_now:
            yield "is required, and the source has no such field: give it a default"
        return
    if theirs.type is not ours.type:
        yield f"is a {ours.type}, and a {theirs.type} in the source: give it the same type"
    elif ours.array_of is not None and theirs.array_of != ours.array_of:
        yield "has elements of another kind than in the source"
    if ours.required and not theirs.required:
        yield "is required, and the source has rows without it: require it there, too"
    if narrowed(theirs.enum, ours.enum):
        yield "takes fewer values than in the source"


def _relation(theirs: Relation | None, ours: Relation) -> Iterable[str]:
    if theirs is None:
        if ours.required:
            yield "is required, and the source has no such relation"
    elif (theirs.kind, theirs.target, theirs.column) != (ours.kind, ours.target, ours.column):
        yield "is another relation than in the source"
    elif ours.required and not theirs.required:
        yield "is required, and the source has rows without it"
