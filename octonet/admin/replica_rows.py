"""A replica as a row of the system project, its address sealed."""

from __future__ import annotations

from typing import Final

import msgspec

from octonet.access.sealing import AesSealer
from octonet.kernel.ids import ProjectName, Row
from octonet.kernel.operation import Raw
from octonet.kernel.sealing import SEALED
from octonet.kernel.storage import Strategy

ENTITY: Final = "Replica"
ROUTING: Final = "ReadRouting"


class ReplicaSettings(msgspec.Struct, frozen=True):
    """A replica as it was asked for."""

    id: str
    project: ProjectName
    name: str
    dialect: str
    uri: str
    strategy: Strategy = Strategy.UPDATE
    pool_size: int = 4
    pool_min: int = 0
    tolerance: int = 1000
    """Milliseconds that what it tells may be old."""


class ReplicaRows:
    """Reads and writes them. `sealer` is the installation's."""

    def __init__(self, sealer: AesSealer) -> None:
        self._sealer = sealer

    def read(self, row: Row) -> ReplicaSettings:
        """What a row says."""
        id = str(row["id"])
        minimum, maximum, tolerance = (int(str(row[field] or 0)) for field in ("poolMin", "poolMax", "lagTolerance"))
        return ReplicaSettings(
            id,
            ProjectName(str(row["project"])),
            str(row["name"]),
            str(row["dialect"]),
            str(self._sealer.open({SEALED: row["sealedUri"]}, _place(id))),
            Strategy(str(row["schemaStrategy"])),
            maximum,
            minimum,
            tolerance,
        )

    def write(self, replica: ReplicaSettings) -> dict[str, Raw]:
        """The row."""
        sealed = self._sealer.seal(replica.uri, _place(replica.id))
        assert isinstance(sealed, dict)
        return {
            "id": replica.id,
            "project": replica.project,
            "name": replica.name,
            "dialect": replica.dialect,
            "sealedUri": sealed[SEALED],
            "schemaStrategy": replica.strategy.value,
            "poolMin": replica.pool_min,
            "poolMax": replica.pool_size,
            "lagTolerance": replica.tolerance,
        }


def _place(id: str) -> str:
    return f"replica {id}"
