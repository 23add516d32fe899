"""What happened: three facts, whatever the command was."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from octonet.kernel.ids import EntityId


class Fact(StrEnum):
    """The three things that can happen to one entity."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Event(msgspec.Struct, frozen=True, array_like=True):
    """What one command did to one entity, as it stands in the log.

    `data` is the whole after-image as JSON text, secrets sealed; None when the row is gone. A deleted event with
    data is a soft delete. `version` counts from 1 for each life of an id. `changed` names the columns and links
    whose value differs from before, empty for created and deleted.
    """

    fact: Fact
    entity: str
    id: EntityId
    version: int
    data: bytes | None
    changed: tuple[str, ...] = ()
