"""A replication rule as a row of the system project."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.kernel.ids import ProjectName, Row
from octonet.kernel.merge import Clock, Mode, Resolution, Side
from octonet.kernel.operation import Raw
from octonet.kernel.schema import Schemas

ENTITY: Final = "ReplicationRule"
STATS: Final = "ReplicationStats"


class RuleSettings(msgspec.Struct, frozen=True):
    """A rule as it was asked for. `collections` are names of entities, empty for all that both projects have."""

    id: str
    name: str
    source: ProjectName
    target: ProjectName
    mode: Mode
    resolution: Resolution
    collections: tuple[str, ...] = ()
    enabled: bool = True

    @property
    def clock(self) -> Clock:
        """What gives its stamps."""
        return Clock(self.resolution, Side.SOURCE if self.source > self.target else Side.TARGET)

    def project(self, side: Side) -> ProjectName:
        """The project on this side."""
        return self.source if side is Side.SOURCE else self.target

    @property
    def sides(self) -> tuple[Side, ...]:
        """Those whose changes are carried to the other."""
        return (Side.SOURCE, Side.TARGET) if self.mode is Mode.BIDIRECTIONAL else (Side.SOURCE,)

    def scope(self, source: Schemas, target: Schemas) -> list[str]:
        """The entities that it is about, by name."""
        both = [name for name in source.entities if name in target.entities]
        return sorted(both if not self.collections else (name for name in both if name in self.collections))


def read(row: Row) -> RuleSettings:
    """What a row says."""
    names = row["collections"]
    return RuleSettings(
        str(row["id"]),
        str(row["name"]),
        ProjectName(str(row["source"])),
        ProjectName(str(row["target"])),
        Mode(str(row["mode"])),
        Resolution(str(row["conflictResolution"])),
        tuple(map(str, names)) if isinstance(names, list) else (),
        row["enabled"] is True,
    )


def write(rule: RuleSettings) -> dict[str, Raw]:
    """The row."""
    return {
        "id": rule.id,
        "name": rule.name,
        "source": rule.source,
        "target": rule.target,
        "mode": rule.mode.value,
        "collections": list(rule.collections),
        "conflictResolution": rule.resolution.value,
        "enabled": rule.enabled,
    }
