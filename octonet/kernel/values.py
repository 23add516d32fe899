"""Checks and normalises what a client wants stored: whole rows for a create, changes for an update."""

from __future__ import annotations

from octonet.kernel import value_plan, value_types
from octonet.kernel.errors import ValidationError, validation
from octonet.kernel.faults import Faults, did_you_mean, kind, quote, step
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.schema import ID, EntitySchema, Field, FieldType, RelationKind
from octonet.kernel.value_plan import Plan
from octonet.kernel.value_types import Misfit

_FIELD = "$.field"


def new_row(schema: EntitySchema, data: object, at: str, path: str = "$.data") -> Row:
    """The complete row for a create, without its id: every column, then every many-to-many relation as a sorted
    list of ids. `at` is the time of the command. Raises `ValidationError` with all faults."""
    plan = value_plan.of(schema)
    row = plan.template.copy()
    for name in plan.stamped:
        row[name] = at
    for name, value in plan.fresh:
        row[name] = value_types.anything(value)
    faults = _fill(plan, row, data, path)
    for column, keys in plan.required:
        if row[column] is None and isinstance(data, dict) and not any(key in data for key in keys):
            faults = faults or _Refusals()
            faults.add(step(path, keys[0]), "is required")
    if faults:
        raise faults.refusal()
    return row


def change(schema: EntitySchema, data: object, path: str = "$.data") -> Row:
    """The columns and links that an update names, normalised. Raises `ValidationError` with all faults."""
    row: Row = {}
    faults = _fill(value_plan.of(schema), row, data, path)
    if faults:
        raise faults.refusal()
    return row


def entity_id(value: object, path: str = "$.id") -> EntityId:
    """An id: 1 to 64 characters without slash or control character. Raises `ValidationError`."""
    try:
        return value_types.entity_id(value)
    except Misfit as misfit:
        raise validation(path, str(misfit)) from None


def number(value: object, path: str = "$.amount") -> int | float:
    """A finite number within ±2^53, integral ones as int. Raises `ValidationError`."""
    try:
        return value_types.number(value)
    except Misfit as misfit:
        raise validation(path, str(misfit)) from None


def text(value: object, path: str) -> str:
    """Text without NUL or lone surrogate. Raises `ValidationError`."""
    try:
        return value_types.text(value)
    except Misfit as misfit:
        raise validation(path, str(misfit)) from None


def field_value(schema: EntitySchema, name: object, value: object, path: str = "$.value") -> JsonValue:
    """One element to add to, or pull from, an array field or a many-to-many relation. Raises `ValidationError`
    naming `path`, or ``$.field`` when the name is what is wrong."""
    relation = schema.relations.get(name) if isinstance(name, str) else None
    if relation is not None and relation.kind is RelationKind.MANY_TO_MANY:
        return entity_id(value, path)
    field = _writable(schema, name, _FIELD)
    if field is None or field.type is not FieldType.ARRAY:
        raise validation(_FIELD, f"{quote(name)} is neither an array field nor a many-to-many relation")
    try:
        return value_types.element(field.array_of)(value)
    except Misfit as misfit:
        faults = Faults()
        for place, message in misfit.faults:
            faults.add(path + place, message)
        raise faults.error() from None


def number_field(schema: EntitySchema, name: object, path: str = _FIELD) -> str:
    """The name of a number field, for increment. Raises `ValidationError`."""
    field = _writable(schema, name, path)
    if field is None or field.type is not FieldType.NUMBER:
        raise validation(path, f"{quote(name)} is not a number field")
    return field.name


def _writable(schema: EntitySchema, name: object, path: str) -> Field | None:
    if not isinstance(name, str):
        raise validation(path, f"expected the name of a field, not {kind(name)}")
    field = schema.fields.get(name)
    if field is not None and field.secret:
        raise validation(path, f"{quote(name)} is secret: it can only be replaced as a whole")
    if field is None and name not in schema.relations and name not in schema.columns:
        near = did_you_mean(name, schema.fields)
        raise validation(path, f"{quote(name)} is not a field of {schema.name}{near}", code="UNKNOWN_FIELD")
    return field


class _Refusals(Faults):
    """Faults, with a code of their own as long as every one of them is about a name."""

    only_names = True

    def add(self, path: str, message: str) -> None:
        self.only_names = False
        super().add(path, message)

    def add_name(self, path: str, message: str) -> None:
        super().add(path, message)

    def refusal(self) -> ValidationError:
        return self.error("UNKNOWN_FIELD" if self.only_names else None)


def _fill(plan: Plan, row: Row, data: object, path: str) -> _Refusals | None:
    if not isinstance(data, dict):
        raise validation(path, f"expected an object, not {kind(data)}")
    slots = plan.slots
    faults: _Refusals | None = None
    for key, value in data.items():
        slot = slots.get(key)
        if slot is None:
            if key != ID:
                faults = faults or _Refusals()
                reason = plan.refused.get(key) or f"is not a field{did_you_mean(key, slots)}"
                faults.add_name(step(path, key), reason)
                if faults.full:
                    return faults
            continue
        column, check, nullable = slot
        if value is None and nullable:
            row[column] = None
            continue
        try:
            row[column] = check(value)
        except Misfit as misfit:
            faults = faults or _Refusals()
            for place, message in misfit.faults:
                faults.add(step(path, key) + place, message)
            if faults.full:
                return faults
    for name, column in plan.aliases:
        if name in data and column in data and data[name] != data[column]:
            faults = faults or _Refusals()
            faults.add(step(path, column), f"differs from {quote(name)}, which names the same column")
    return faults
