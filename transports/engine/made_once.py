"""What is made of a project's entities, once for as long as they stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from octonet.kernel.ids import ProjectName
from octonet.kernel.schema import Schemas

T = TypeVar("T")
_MOST: Final = 256
"""Projects for which it is kept."""


class MadeOnce(Generic[T]):
    """Keeps what `make` gives."""

    def __init__(self, make: Callable[[ProjectName, Schemas], T]) -> None:
        self._make = make
        self._kept: dict[ProjectName, tuple[Schemas, T]] = {}

    def of(self, project: ProjectName, schemas: Schemas) -> T:
        """What is made of these entities of this project."""
        known = self._kept.get(project)
        if known is not None and known[0] is schemas:
            return known[1]
        if len(self._kept) >= _MOST:
            del self._kept[next(iter(self._kept))]
        made = self._make(project, schemas)
        self._kept[project] = schemas, made
        return made
