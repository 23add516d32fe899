"""The database of a project."""

from __future__ import annotations

from octonet import dialects
from octonet.config import Settings
from octonet.kernel.errors import OctonetError
from octonet.kernel.storage import Database, DatabaseOptions, Strategy
from octonet.projects_tree import ProjectSettings


async def open_database(settings: Settings, project: ProjectSettings, strategy: Strategy) -> Database:
    """The project's database, with its tables as `strategy` wants them. Raises `OctonetError`."""
    options = DatabaseOptions(project.pool_size, settings.query_timeout, project.table_prefix, project.show_sql)
    database = await dialects.find(project.dialect).open(project.uri, project.schemas, options)
    try:
        await database.migrate(project.schemas, strategy)
    except OctonetError:
        await database.close()
        raise
    return database
