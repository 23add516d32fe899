"""Work on a project beside whoever serves it: its database is read where it lies, its row changed as by anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from jetstream.endpoint import Endpoint
from octonet.app import Node, open_node
from octonet.config import Settings
from octonet.kernel.errors import NotFound, StorageUnavailable, Unavailable
from octonet.kernel.ids import SYSTEM_PROJECT, ProjectName, is_private
from octonet.kernel.schema import Schemas
from octonet.kernel.schema_parse import parse
from octonet.kernel.storage import Database
from octonet.projects_tree import ProjectSettings
from octonet.serving.storage import open_as_it_is

_OWNED_WITHIN: Final = 30.0
_LOOK: Final = 0.05


def find(projects: Sequence[ProjectSettings], name: ProjectName) -> ProjectSettings:
    """The public project of this name. Raises `NotFound`, code UNKNOWN_PROJECT, naming the others."""
    public = {project.name: project for project in projects if not is_private(project.name)}
    if name not in public:
        raise NotFound(f"there is no project {name!r}; there are {', '.join(public)}", code="UNKNOWN_PROJECT")
    return public[name]


async def open_live(settings: Settings, project: ProjectSettings) -> tuple[Database, Schemas]:
    """The database that the project is served from, to be read by the schema that its tables follow, and that. Raises
    `OctonetError`."""
    path = Path(project.uri.removeprefix("sqlite:///"))
    if project.dialect == "sqlite" and not path.exists():
        # To open it would be to make it.
        raise StorageUnavailable(f"the live database {path} is not there")
    live = await open_as_it_is(settings, project)
    followed = await live.follows()
    if followed is None or followed.digest == project.schemas.digest:
        return live, project.schemas
    await live.close()
    schemas = parse(followed.source)
    return await open_as_it_is(settings, msgspec.structs.replace(project, schemas=schemas)), schemas


async def catch_up(settings: Settings, endpoint: Endpoint, name: ProjectName) -> None:
    """Where nobody serves: a server that was killed may have left its database behind its log. Raises
    `OctonetError`."""
    await beside(settings, endpoint, True, name, lambda node: node.owned())


async def beside(
    settings: Settings, endpoint: Endpoint, ours: bool, name: ProjectName, work: Callable[[Node], Awaitable[None]]
) -> None:
    """Do some work with a node that serves just this project. `ours`: nobody else serves, so that it decides commands,
    too. Raises `OctonetError`."""
    node = await open_node(settings, endpoint, ours, only=[name])
    try:
        try:
            async with asyncio.timeout(_OWNED_WITHIN):
                while ours and not node.owns(SYSTEM_PROJECT):
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            raise Unavailable("the system project cannot be written to: its lane has no owner") from None
        await work(node)
    finally:
        await node.close()
