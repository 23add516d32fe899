"""How tools are called: `{Entity}_{op}` in the project that was connected to, `{project}_{Entity}_{op}` in others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from octonet.kernel.ids import DEFAULT_PROJECT, ProjectName
from octonet.kernel.operation import Operation
from octonet.kernel.schema import EntitySchema

LONGEST: Final = 128
"""Characters a tool's name may have by the protocol."""


class Named(msgspec.Struct, frozen=True):
    """What a tool's name means."""

    project: ProjectName
    schema: EntitySchema
    operation: type[Operation]


def spell(entity: str, op: str, project: ProjectName | None = None) -> str:
    """The name of a tool; `project` where it is not the one that was connected to."""
    return f"{entity}_{op}" if project is None else f"{project}_{entity}_{op}"


def read(
    name: str,
    connected: ProjectName,
    catalog: Mapping[str, type[Operation]],
    entity_of: Callable[[ProjectName, str], EntitySchema | None],
) -> Named | None:
    """What a name means to whoever is connected to a project; None where it is no tool's.

    An entity's collection stands for it, as on every door. No operation has an underscore in its name and no project,
    so that the last one and, in front of a project's entity, the first one divide; an entity of the project itself
    comes first.
    """
    entity, _, op = name.rpartition("_")
    operation = catalog.get(op)
    if operation is None:
        return None
    schema = entity_of(connected, entity)
    if schema is not None:
        return Named(connected, schema, operation)
    project, divided, entity = entity.partition("_")
    if connected == DEFAULT_PROJECT and divided:
        schema = entity_of(ProjectName(project), entity)
    return None if schema is None else Named(ProjectName(project), schema, operation)
