"""What somebody sees who is connected to a project: its entities, and in the default project the others' too."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from octonet.access.principal import Visitor
from octonet.gateway import Gateway
from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Family, Operation
from octonet.kernel.schema import EntitySchema
from octonet.project import Project
from transports.engine.mcp import tool_names
from transports.engine.mcp.tool_names import Named


class View(msgspec.Struct, frozen=True):
    """Who asks, and where they are connected to."""

    gateway: Gateway
    project: ProjectName
    who: Visitor

    @property
    def families(self) -> frozenset[Family]:
        """What may be asked of the project itself."""
        return self.gateway.families(self.project, self.who)

    async def home(self) -> Project:
        """The project itself, for whoever may read there. Raises as `Gateway.enter` does."""
        return await self.gateway.enter(self.project, self.who)

    def projects(self) -> Iterator[tuple[Project, frozenset[Family]]]:
        """Every project that is in sight, and what may be done there: its own, behind the default one the others."""
        for home, families in self.gateway.visible(self.who):
            if self.project in (home.name, DEFAULT_PROJECT):
                yield home, families

    def find(self, tool: str) -> Named | None:
        """What the name of a tool means here; None where there is no such tool, or nothing to do with it."""
        catalog: dict[str, type[Operation]] = self.gateway.operations
        return tool_names.read(tool, self.project, catalog, self._entity)

    def _entity(self, project: ProjectName, entity: str) -> EntitySchema | None:
        gateway = self.gateway
        in_sight = project == self.project or (gateway.serves(project) and gateway.families(project, self.who))
        return gateway.entity(project, entity) if in_sight else None
