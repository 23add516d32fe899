"""What is known of an entity before any data comes: where each key of a write goes, and how its value is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from octonet.kernel import value_types
from octonet.kernel.faults import kind, quote
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import CREATED_AT, DELETED_AT, ID, UPDATED_AT, EntitySchema, RelationKind
from octonet.kernel.value_types import Check, Misfit

Slot: TypeAlias = tuple[str, Check, bool]
"""Where the value of a key goes, its check, and whether null may stand there."""
_PLAN = "values.plan"


class Plan(msgspec.Struct, frozen=True):
    """Made once, because it is used for every write."""

    template: Row
    """Every column but the id, with its literal default or null, in order."""
    stamped: tuple[str, ...]
    """Columns that get the time of the command."""
    fresh: tuple[tuple[str, JsonValue], ...]
    """Columns and links whose value is a list or an object: each row gets its own."""
    slots: Mapping[str, Slot]
    required: tuple[tuple[str, tuple[str, ...]], ...]
    """Required columns, each with the keys under which a value may come."""
    aliases: tuple[tuple[str, str], ...]
    """Relations with a column of another name."""
    refused: Mapping[str, str]
    """Names that are known but not written this way, and why."""


def of(schema: EntitySchema) -> Plan:
    """The plan of an entity, made once."""
    plan = schema.__dict__.get(_PLAN)
    if isinstance(plan, Plan):
        return plan
    made = schema.__dict__[_PLAN] = _make(schema)
    return made


def _make(schema: EntitySchema) -> Plan:
    template: Row = {name: _default(schema, name) for name in schema.columns if name != ID}
    template |= {relation.name: [] for relation in schema.links}
    slots = dict(_slots(schema))
    keys: dict[str, tuple[str, ...]] = {}
    for key, (column, _, _) in slots.items():
        keys[column] = (*keys.get(column, ()), key)
    required = ((c.name, keys[c.name]) for c in schema.columns.values() if not c.nullable and c.name in keys)
    return Plan(
        template=template,
        stamped=tuple(name for name in template if _is_stamped(schema, name)),
        fresh=tuple((name, value) for name, value in template.items() if isinstance(value, list | dict)),
        slots=slots,
        required=tuple(required),
        aliases=tuple((r.name, r.column) for r in schema.references if r.name != r.column),
        refused=dict(_refused(schema)),
    )


def _default(schema: EntitySchema, column: str) -> JsonValue:
    if column == schema.discriminator and schema.discriminator_value:
        return schema.discriminator_value
    field = schema.fields.get(column)
    return None if field is None or column == _deletion(schema) else field.default


def _is_stamped(schema: EntitySchema, column: str) -> bool:
    field = schema.fields.get(column)
    return column in _times(schema) or (field is not None and field.default_now and column != _deletion(schema))


def _times(schema: EntitySchema) -> tuple[str, ...]:
    return (CREATED_AT, UPDATED_AT) if schema.timestamps else ()


def _deletion(schema: EntitySchema) -> str:
    return DELETED_AT if schema.soft_delete else ""


def _slots(schema: EntitySchema) -> Iterable[tuple[str, Slot]]:
    for field in schema.fields.values():
        if field.name != _deletion(schema):
            yield field.name, (field.name, value_types.for_field(field), not field.required)
    for relation in schema.references:
        check = value_types.entity_id if relation.required else _optional_id
        slot: Slot = (relation.column, check, not relation.required)
        yield relation.name, slot
        yield relation.column, slot
    for link in schema.links:
        yield link.name, (link.name, _link_ids, False)
    if schema.discriminator:
        wanted = schema.discriminator_value
        yield schema.discriminator, (schema.discriminator, _discriminator(wanted), not wanted)
    yield from ((name, (name, value_types.date, False)) for name in _times(schema))


def _refused(schema: EntitySchema) -> Iterable[tuple[str, str]]:
    if schema.soft_delete:
        yield DELETED_AT, "is set by deleting"
    for relation in schema.relations.values():
        if relation.kind is RelationKind.ONE_TO_MANY:
            yield relation.name, f"is kept by {relation.target}: write its {relation.column} instead"


def _optional_id(value: object) -> JsonValue:
    return None if value == "" else value_types.entity_id(value)


def _link_ids(value: object) -> JsonValue:
    if value is None:
        return []
    if isinstance(value, str):
        parts = (part.strip() for part in value.split(","))
        return list(sorted({value_types.entity_id(part) for part in parts if part}))
    if not isinstance(value, list | tuple):
        raise Misfit(f"expected a list of ids, not {kind(value)}")
    ids: set[str] = set()
    for i, item in enumerate(value):
        try:
            ids.add(value_types.entity_id(item))
        except Misfit as misfit:
            raise misfit.below(f"[{i}]") from None
    return list(sorted(ids))


def _discriminator(wanted: str) -> Check:
    def check(value: object) -> JsonValue:
        if wanted and value != wanted:
            raise Misfit(f"must be {quote(wanted)}")
        return value_types.text(value)

    return check
