"""Secrets never stand in clear in a command or a fact: they travel sealed, and the fold opens them."""

from __future__ import annotations

from typing import Protocol

from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import EntitySchema

SEALED = "$sealed"
"""The one key of the object that stands for a sealed value."""


def is_sealed(value: JsonValue) -> bool:
    """Whether it stands for a secret."""
    return isinstance(value, dict) and len(value) == 1 and SEALED in value


class Sealer(Protocol):
    """Seals and opens values of one project. Sealing is deterministic for the same place and value, so that a
    decision that is made again gives the same bytes."""

    def seal(self, value: JsonValue, place: str) -> JsonValue:
        """`{"$sealed": "…"}`, bound to the place (entity, field, id). None stays None."""
        ...

    def open(self, value: JsonValue, place: str) -> JsonValue:
        """The value again. A value that is not sealed is given back as it is. Raises `Internal` when it was sealed
        with another key or for another place."""
        ...


def seal_row(sealer: Sealer, schema: EntitySchema, id: str, row: Row) -> Row:
    """The row with every secret sealed; `id` empty while the row has none, as in an updateMany."""
    if not schema.secrets:
        return row
    return {k: sealer.seal(v, f"{schema.name}/{k}/{id}") if k in schema.secrets else v for k, v in row.items()}


def open_row(sealer: Sealer, schema: EntitySchema, id: str, row: Row) -> Row:
    """The row with every secret in clear."""
    if not schema.secrets:
        return row
    return {k: sealer.open(v, f"{schema.name}/{k}/{id}") if k in schema.secrets else v for k, v in row.items()}
