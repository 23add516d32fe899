"""The database of a project."""

from __future__ import annotations

from octonet import dialects
from octonet.config import Settings
from octonet.kernel.errors import OctonetError
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from octonet.projects_tree import ProjectSettings


async def open_as_it_is(settings: Settings, project: ProjectSettings) -> Database:
    """The project's database, whatever its tables are like. Raises `OctonetError`."""
    options = DatabaseOptions(project.pool_size, settings.query_timeout, project.table_prefix, project.show_sql)
    return await dialects.find(project.dialect).open(project.uri, project.schemas, options)


async def open_database(settings: Settings, project: ProjectSettings, strategy: Strategy) -> Database:
    """The project's database, with its tables as `strategy` wants them. Raises `OctonetError`."""
    database = await open_as_it_is(settings, project)
    try:
        await database.migrate(project.schemas, strategy)
    except OctonetError:
        await database.close()
        raise
    return database


async def follows(settings: Settings, project: ProjectSettings) -> bool:
    """Whether the tables that are there follow the project's schema, or nobody knows what they follow. Raises
    `OctonetError`."""
    database = await open_as_it_is(settings, project)
    try:
        followed = await database.follows()
        return followed is None or followed.digest == project.schemas.digest
    finally:
        await database.close()
