"""Which facts a client of a pushing door asks for, read from an address or a message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from octonet.kernel.errors import NotFound, invalid
from octonet.kernel.filter_parse import parse
from octonet.kernel.operation import Raw
from octonet.kernel.position import Position, Positions
from octonet.kernel.schema import Schemas
from projections.engine.live import Interest


def interest(schemas: Schemas, names: Sequence[str], where: Raw) -> Interest:
    """An interest in these entities (none: all), named or by their collections. Raises `NotFound` with code
    ENTITY_NOT_FOUND, and `Invalid` for a filter that is wrong or has not exactly one entity to look at."""
    found = []
    for name in names:
        schema = schemas.find(name)
        if schema is None:
            raise NotFound(f"no entity is called {name!r}", code="ENTITY_NOT_FOUND")
        found.append(schema)
    if where is msgspec.UNSET or where is None:
        return Interest(frozenset(schema.name for schema in found))
    if len(found) != 1:
        raise invalid("$.filter", "needs exactly one entity")
    return Interest(frozenset((found[0].name,)), parse(found[0], where, "$.filter"))


def after(positions: Positions, token: Raw) -> Position | None:
    """The position to resume from. Raises `Invalid` with code INVALID_POSITION."""
    if token is msgspec.UNSET or token is None:
        return None
    if not isinstance(token, str):
        raise invalid("$.after", "must be a position", code="INVALID_POSITION")
    return positions.decode(token, "$.after")


def now() -> str:
    """The time as clients are told it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
