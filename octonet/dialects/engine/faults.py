"""Violated constraints, told in the words of the schema, and what may be tried again."""

from __future__ import annotations

from collections.abc import Sequence

from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import ConstraintViolation, Fault, Internal, OctonetError, StorageUnavailable

UNIQUE_VIOLATION = "UNIQUE_VIOLATION"
REQUIRED = "REQUIRED"
TOO_LONG = "VALUE_TOO_LONG"


class Lost(StorageUnavailable):
    """The connection ended under a statement."""


class Contended(Lost):
    """Another transaction was in the way of this one, which is to be tried anew from its beginning."""


class Stale(Lost):
    """The tables were changed since the connection prepared the statement; it is prepared anew the next time."""


def taken(model: Model, table: str, columns: Sequence[str]) -> OctonetError:
    """Another row has the same values in these columns of this physical table."""
    entity, names = _named(model, table, columns)
    if entity is None:
        return Internal(f"{table} already holds a row with the same {_listed(columns)}")
    return ConstraintViolation(
        f"another {entity} already has the same {_listed(names)}",
        code=UNIQUE_VIOLATION,
        faults=tuple(Fault(f"$.data.{name}", "is already taken") for name in names),
    )


def missing(model: Model, table: str, columns: Sequence[str]) -> OctonetError:
    """These columns of this physical table may not be null."""
    entity, names = _named(model, table, columns)
    if entity is None:
        return Internal(f"{table} cannot hold a row without {_listed(columns)}")
    return ConstraintViolation(
        f"{entity} cannot be without {_listed(names)}",
        code=REQUIRED,
        faults=tuple(Fault(f"$.data.{name}", "is required") for name in names),
    )


def too_long(model: Model, table: str, columns: Sequence[str]) -> OctonetError:
    """What these columns of this physical table hold together is more than their index takes."""
    entity, names = _named(model, table, columns)
    if entity is None:
        return Internal(f"{table} cannot hold a {_listed(columns)} that long")
    return ConstraintViolation(
        f"{entity} cannot have a {_listed(names)} that long: the database keeps an index of it",
        code=TOO_LONG,
        faults=tuple(Fault(f"$.data.{name}", "is too long for the database's index") for name in names),
    )


def places(model: Model, table: str, columns: Sequence[str], told: str) -> tuple[Fault, ...]:
    """What is told of these columns of this physical table, each by its path."""
    entity, names = _named(model, table, columns)
    return () if entity is None else tuple(Fault(f"$.data.{name}", told) for name in names)


def columns_of(model: Model, table: str, constraint: str) -> list[str]:
    """The columns of an index, or, when it is none that the model names, of the table's key."""
    for known in (*model.public, *model.private):
        if known.name == table:
            for index in known.indexes:
                if index.name == constraint:
                    return [column.name for column in index.columns]
            return [column.name for column in known.primary_key]
    return [constraint]


def _named(model: Model, table: str, columns: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The entity a table belongs to, and the members of its rows that these columns hold."""
    for entity in model.entities.values():
        if entity.table.name == table:
            logical = {column.name: column.key for column in entity.table.columns}
            return entity.schema.name, [logical.get(name, name) for name in columns]
        for name, junction in entity.junctions.items():
            if junction.table.name == table:
                return entity.schema.name, (name,)
    return None, columns


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
