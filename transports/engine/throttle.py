"""How many requests a second one client, or one project, may send to a process."""

from __future__ import annotations

from time import monotonic
from typing import Final

import msgspec

from octonet.kernel.errors import Exhausted
from octonet.transport import Incoming


class Pace(msgspec.Struct, frozen=True):
    """Requests a second; 0: as many as they like."""

    per_client: int = 0
    per_project: int = 0


FREE: Final = Pace()
_SPARED: Final = frozenset({"office", "health"})


class TooMany(Exhausted):
    """More came this second than are answered."""

    default_code = "RATE_LIMIT"
    retry_after = 1


class Throttle:
    """Counts by calendar second of this process."""

    def __init__(self) -> None:
        self.pace = FREE
        self.refused = 0
        self._second = 0
        self._clients: dict[str, int] = {}
        self._projects: dict[str, int] = {}

    def check(self, incoming: Incoming) -> None:
        """One more. Raises `TooMany`; never where the limit itself can be changed."""
        if incoming.door in _SPARED:
            return
        second = int(monotonic())
        if second != self._second:
            self._second = second
            self._clients.clear()
            self._projects.clear()
        self._take(self._clients, incoming.address, self.pace.per_client, "this address")
        project = incoming.headers.get("x-project", incoming.project)
        self._take(self._projects, project, self.pace.per_project, "this project")

    def _take(self, taken: dict[str, int], name: str, limit: int, what: str) -> None:
        if not limit:
            return
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > limit:
            self.refused += 1
            raise TooMany(f"{what} may be asked for {limit} requests a second")
