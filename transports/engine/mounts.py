"""Which door serves which path: found by the first segments, optionally behind the name of a project."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.transport import HttpDoor


class Place(msgspec.Struct, frozen=True):
    """Where a path leads."""

    door: HttpDoor
    project: ProjectName
    """As the path names it."""
    below: str
    """The path below the door's prefix: empty or starting with a slash."""
    name: str
    """The door's."""


class Mounts:
    """The doors by their prefixes. `known` says whether a project exists."""

    def __init__(self, known: Callable[[str], bool]) -> None:
        self._known = known
        self._doors: dict[str, list[tuple[str, HttpDoor, str]]] = {}

    def add(self, prefix: str, door: HttpDoor, name: str = "") -> None:
        """Let `door`, of this name, serve this prefix and every path below it. Raises `ValueError` when it is taken."""
        if not prefix.startswith("/") or prefix.endswith("/"):
            raise ValueError(f"{prefix!r} is not a path prefix: it starts with a slash and does not end with one")
        doors = self._doors.setdefault(prefix.split("/", 2)[1], [])
        if any(taken == prefix for taken, _, _ in doors):
            raise ValueError(f"two doors want {prefix!r}")
        doors.append((prefix, door, name))
        doors.sort(key=lambda entry: len(entry[0]), reverse=True)

    def find(self, path: str) -> Place | None:
        """The door of a path without its query; the longest prefix wins."""
        place = self._find(path, DEFAULT_PROJECT)
        if place is None:
            first, slash, rest = path[1:].partition("/")
            if slash and first != DEFAULT_PROJECT and self._known(first):
                place = self._find("/" + rest, ProjectName(first))
        return place

    def _find(self, path: str, project: ProjectName) -> Place | None:
        end = path.find("/", 1)
        for prefix, door, name in self._doors.get(path[1:] if end < 0 else path[1:end], ()):
            if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/"):
                return Place(door, project, path[len(prefix) :], name)
        return None
