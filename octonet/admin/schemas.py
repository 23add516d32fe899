"""The entities of a project at run time: told, compared, added to, replaced."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from octonet.access.principal import Visitor
from octonet.admin.projects import Projects
from octonet.kernel.difference import Comparison, comparison
from octonet.kernel.errors import Fault, ValidationError
from octonet.kernel.operation import Raw
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_diff import diff
from octonet.kernel.schema_parse import parse
from octonet.projects_tree import ProjectSettings


class SchemaStore:
    """What is said to entities goes through the project they are of."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def every(self, by: Visitor, project: str) -> Schemas:
        """The entities of a project. Raises `NotFound`."""
        return (await self._projects.find(by, project)).schemas

    async def compare(self, by: Visitor, project: str, entity: dict[str, Raw]) -> Comparison:
        """What would change if this entity came, or took the place of the one of its name. Raises `ValidationError`."""
        before = await self.every(by, project)
        name = str(entity.get("name"))
        after = _merged(before, [entity])
        found = [difference for difference in diff(before, after) if difference.entity == name]
        return comparison(found, exists=name in before.entities)

    async def put(
        self, by: Visitor, project: str, entities: Sequence[dict[str, Raw]], replace: bool, confirm: bool
    ) -> ProjectSettings:
        """Add these entities, each in place of the one of its name; `replace`: and give up all others. Raises as
        `Projects.change` does."""
        before = await self.every(by, project)
        after = _parsed(entities) if replace else _merged(before, entities)
        return await self._projects.change(by, project, {"schemas": msgspec.json.decode(after.source)}, confirm)


def _merged(before: Schemas, entities: Sequence[dict[str, Raw]]) -> Schemas:
    stated: list[dict[str, Raw]] = msgspec.json.decode(before.source)
    there = {entity["name"]: entity for entity in stated}
    _parsed_alone(entities)
    return _parsed(list({**there, **{entity["name"]: entity for entity in entities}}.values()))


def _parsed_alone(entities: Sequence[dict[str, Raw]]) -> None:
    for number, entity in enumerate(entities):
        if not isinstance(entity.get("name"), str):
            fault = Fault(f"$.schemas[{number}].name", "is missing")
            raise ValidationError(f"{fault.path}: {fault.message}", code="INVALID_SCHEMA", faults=(fault,))


def _parsed(entities: Sequence[dict[str, Raw]]) -> Schemas:
    return parse(msgspec.json.encode(entities))
