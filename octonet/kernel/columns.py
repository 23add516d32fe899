"""The names that a filter, a sort or a select may use, and why the others are refused."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from octonet.kernel import value_types
from octonet.kernel.errors import invalid, validation
from octonet.kernel.faults import did_you_mean, kind, quote, step
from octonet.kernel.schema import Column, EntitySchema, FieldType, RelationKind
from octonet.kernel.value_types import Misfit

_SCOPE = "columns.scope"
NOT_ALLOWED = "FIELD_NOT_ALLOWED"
UNKNOWN = "UNKNOWN_FIELD"


class Scope(msgspec.Struct, frozen=True):
    """The columns in sight. A relation's name stands for its column."""

    columns: Mapping[str, Column]
    refused: Mapping[str, str]
    """Names that exist but cannot be used, and why."""
    place: str
    """What the columns belong to, for a sentence."""

    def find(self, name: object, path: str) -> Column:
        """The column of this name. Raises `Invalid` naming the path."""
        column = self.columns.get(name) if isinstance(name, str) else None
        if column is not None:
            return column
        if not isinstance(name, str):
            raise invalid(path, f"expected the name of a column, not {kind(name)}")
        reason = self.refused.get(name)
        if reason is not None:
            raise invalid(path, f"{quote(name)} {reason}", code=NOT_ALLOWED)
        near = did_you_mean(name, self.columns)
        raise invalid(path, f"{quote(name)} is not a column of {self.place}{near}", code=UNKNOWN)

    def find_ordered(self, name: object, path: str) -> Column:
        """A column whose values can be compared and sorted."""
        column = self.find(name, path)
        if column.type in (FieldType.JSON, FieldType.ARRAY):
            raise invalid(path, f"{quote(name)} holds {column.type} values, which have no order", code=NOT_ALLOWED)
        return column


def of(schema: EntitySchema) -> Scope:
    """The columns of an entity: every stored one that is not secret."""
    scope = schema.__dict__.get(_SCOPE)
    if isinstance(scope, Scope):
        return scope
    made = schema.__dict__[_SCOPE] = _make(schema)
    return made


def _make(schema: EntitySchema) -> Scope:
    columns = {name: column for name, column in schema.columns.items() if not column.secret}
    refused = {name: "is secret" for name in schema.secrets}
    for relation in schema.relations.values():
        if relation.owns_column:
            columns[relation.name] = schema.columns[relation.column]
        elif relation.kind is RelationKind.ONE_TO_MANY:
            refused[relation.name] = f"has no column here: ask {relation.target} by its {relation.column}"
        else:
            refused[relation.name] = "is many-to-many and has no column: ask for it with relations"
    return Scope(columns, refused, schema.name)


def fit(column: Column, value: object, path: str) -> str | int | float | bool:
    """A value to compare a column with, in the spelling of its type. Raises `ValidationError` naming the path."""
    try:
        fitting = value_types.CHECKS[column.type](value)
    except Misfit as misfit:
        raise validation(path, str(misfit)) from None
    assert isinstance(fitting, str | int | float | bool)
    return fitting


def names(value: object, path: str) -> tuple[tuple[str, str], ...]:
    """Names given as a list or as text with commas, each with its path; none twice. Absent: none."""
    if value is None or value is msgspec.UNSET:
        return ()
    if isinstance(value, str):
        found = {part.strip(): path for part in value.split(",") if part.strip()}
    elif isinstance(value, list | tuple):
        found = {}
        for i, item in enumerate(value):
            if not isinstance(item, str):
                raise invalid(f"{path}[{i}]", f"expected a name, not {kind(item)}")
            found.setdefault(item, f"{path}[{i}]")
    else:
        raise invalid(path, f"expected a list of names, not {kind(value)}")
    return tuple(found.items())


def members(value: object, path: str) -> tuple[tuple[str, object, str], ...]:
    """The members of an object, each with its path. Raises `Invalid` when it is none."""
    if not isinstance(value, dict):
        raise invalid(path, f"expected an object, not {kind(value)}")
    return tuple((str(key), member, step(path, key)) for key, member in value.items())
