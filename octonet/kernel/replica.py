"""What is known of a read replica: a database that another one's log is folded into, to be read from."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from octonet.kernel.ids import ProjectName


class Condition(StrEnum):
    """How a replica is."""

    CONNECTED = "connected"
    """The log is being folded into it."""
    DISCONNECTED = "disconnected"
    """It does not answer; it is tried again."""
    ERROR = "error"
    """It cannot be a replica as it is: somebody must do something."""


class Routing(StrEnum):
    """How the replica is chosen that a query is answered from."""

    ROUND_ROBIN = "round-robin"
    LEAST_LAG = "least-lag"
    RANDOM = "random"


class Lag(msgspec.Struct, frozen=True):
    """How far a fold is behind its log: messages that it lacks, and how long ago the oldest of them was stored, in
    milliseconds. Both are 0 where it lacks none."""

    positions: int = 0
    milliseconds: int = 0


UNKNOWN: Final = -1


class Report(msgspec.Struct, frozen=True):
    """What the process that follows a replica says of it."""

    id: str
    project: ProjectName
    follower: str
    """The process that says so."""
    condition: Condition
    entry: int = UNKNOWN
    """The last log sequence that is folded, and safe on the replica's disk; `UNKNOWN` to one who could not look yet."""
    schema: str = ""
    """Digest of the schema that its tables follow."""
    lag: Lag = Lag()
    reason: str = ""
    """Why it is not connected; empty while it is being opened for the first time."""
