"""A row that was written under one schema, as the changes of the schema since then have left it: what a change of the
tables does to all rows, done to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from octonet.kernel import value_types
from octonet.kernel.conversion import Keeps, conversion, keeps
from octonet.kernel.errors import Conflict, Fault
from octonet.kernel.faults import quote, step
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.schema import ID, Column, EntitySchema, Field
from octonet.kernel.sealing import is_sealed
from octonet.kernel.value_types import Misfit
from octonet.past.names import standing

_HELP: Final = "its history shows it as it was"


class Fitting:
    """One row on its way. `base` is the entity as it was when the row was written, `stood` what its table had by then,
    in columns that it had given up, too; `values` what was written: it is changed."""

    def __init__(self, base: EntitySchema, stood: Mapping[str, Column], id: EntityId, values: Row) -> None:
        self._id = id
        self._values = values
        self._standing = standing(stood, base.columns)

    def change(self, schema: EntitySchema, *, dropped: bool = False) -> Row:
        """Follow a change of the schema; what the entity gives up stays beside the row and comes back when it is named
        again, unless it is `dropped`. Returns the values. Raises `Conflict` with code SCHEMA_CONFLICT."""
        for name, column in schema.columns.items():
            if name != ID:
                self._values[name] = self._column(schema, column, dropped)
        self._standing = standing(self._standing, schema.columns)
        if dropped:
            kept = {*schema.columns, *(link.name for link in schema.links)}
            self._values = {name: value for name, value in self._values.items() if name in kept}
            self._standing = dict(schema.columns)
        return self._values

    def _column(self, schema: EntitySchema, column: Column, dropped: bool) -> JsonValue:
        name, old = column.name, self._standing.get(column.name)
        field = schema.fields.get(name) or Field(name, column.type)
        value = self._values.get(name)
        if is_sealed(value):
            return value
        if value is not None and old is not None and old.type is not column.type:
            lost = dropped and keeps(old.type, column.type) is Keeps.NONE
            value = None if lost else self._turned(schema, old, field, value)
        needed = old is None or (field.required and old.nullable)
        return value_types.anything(field.default) if needed and value is None else value

    def _turned(self, schema: EntitySchema, old: Column, field: Field, value: JsonValue) -> JsonValue:
        try:
            return conversion(old.type, field)(value)
        except Misfit as misfit:
            told = "does not convert" if field.secret else misfit.faults[0][1]
            path = step(step(step("$", schema.name), "fields"), field.name)
            sentence = f"row {quote(self._id)} had a value that does not fit what the field is now: {told}; {_HELP}"
            raise Conflict(f"{path}: {sentence}", code="SCHEMA_CONFLICT", faults=(Fault(path, sentence),)) from None
