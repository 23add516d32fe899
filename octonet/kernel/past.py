"""The past of a project: every version that a row ever had, and all rows as they were at one moment."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeAlias

import msgspec

from octonet.kernel.envelope import Actor
from octonet.kernel.errors import Invalid, invalid
from octonet.kernel.event import Fact
from octonet.kernel.ids import CommandId, EntityId
from octonet.kernel.instant import milliseconds
from octonet.kernel.position import Position, Positions
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Source

Moment: TypeAlias = Position | int
"""A place in the log, or a time in milliseconds since 1970: then, the place after the last entry all of whose commands
are not later."""

PATH: Final = "$.asOf"
INVALID: Final = "INVALID_AS_OF"
_TIME: Final = re.compile(r"\d{4}-?\d\d-?\d\d")


class Version(msgspec.Struct, frozen=True):
    """What one command made of one row. `at` is the command's time in milliseconds since 1970, `data` the row as it
    stands in the log, secrets sealed; None when the row was gone."""

    position: Position
    id: EntityId
    version: int
    at: int
    op: str
    command: CommandId
    actor: Actor
    fact: Fact
    changed: tuple[str, ...]
    data: bytes | None


class Past(Protocol):
    """What can be known of a project's past. Every method raises `Unavailable`: with code HISTORY_NOT_READY while the
    log is still being read, HISTORY_DAMAGED when it cannot be."""

    def seen(self, schemas: Schemas, at: Moment) -> AbstractAsyncContextManager[Source]:
        """The rows as they were, told by these entities: what a query right after that moment would have found. Raises
        `Invalid` for a moment that has not come yet."""
        ...

    async def versions(
        self, schemas: Schemas, entity: str, id: EntityId, before: Position | None, limit: int
    ) -> list[Version]:
        """The versions of a row of one of these entities, the newest first, of all lives of its id; those `before` a
        position."""
        ...

    async def schemas(self) -> list[Schemas]:
        """Every schema that the project ever had, the oldest first, as far as the log tells by now."""
        ...


def parse(positions: Positions, given: object) -> Moment:
    """The moment that a request names: a position of the project, or an ISO-8601 time. Raises `Invalid` with code
    INVALID_POSITION or INVALID_AS_OF."""
    if not isinstance(given, str):
        raise invalid(PATH, "must be a position that a write was answered with, or an ISO-8601 time", code=INVALID)
    try:
        return positions.decode(given, PATH)
    except Invalid:
        if not _TIME.match(given):
            raise
    try:
        return milliseconds(given, PATH)
    except (Invalid, OverflowError):
        sentence = "is not an ISO-8601 time; in an address a + before the offset is written %2B"
        raise invalid(PATH, sentence, code=INVALID) from None
