"""The projects as the system project's database has them, read where it lies: for whoever works without a server, or
before one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from octonet import dialects
from octonet.access.sealing import AesSealer, derived, project_key
from octonet.admin.project_rows import ENTITY, ProjectRows, wanted
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import Conflict, StorageUnavailable
from octonet.kernel.filter import EVERYTHING, Options
from octonet.kernel.ids import SYSTEM_PROJECT
from octonet.kernel.storage import DatabaseOptions, Page, Strategy
from octonet.project_files import load_projects, system_of
from octonet.projects_tree import ProjectSettings

log = logging.getLogger("octonet")

_MOST = 1_000_000


def project_rows(settings: Settings) -> ProjectRows:
    """How this installation's rows are read and written."""
    key = project_key(DataDirectory(settings.data_dir).keys, SYSTEM_PROJECT)
    return ProjectRows(AesSealer(derived(key, "projects")))


async def stored_projects(settings: Settings, files: Sequence[ProjectSettings]) -> list[ProjectSettings]:
    """The projects of the files, as they were changed at run time, and those that were added; just those of the files
    where there are no rows yet. Raises `StorageUnavailable`."""
    system = system_of(files)
    if system.dialect == "sqlite" and not Path(system.uri.removeprefix("sqlite:///")).exists():
        # To look would be to make it.
        return list(files)
    database = await dialects.find(system.dialect).open(
        system.uri, system.schemas, DatabaseOptions(table_prefix=system.table_prefix)
    )
    try:
        await database.migrate(system.schemas, Strategy.VALIDATE)
        page = Page(EVERYTHING, Options(), _MOST)
        found = map(project_rows(settings).read, await database.select(system.schemas.entities[ENTITY], page))
        return wanted(files, {specified.project.name: specified for specified in found})
    except Conflict:
        return list(files)
    finally:
        await database.close()


async def known_projects(settings: Settings) -> list[ProjectSettings]:
    """All projects; as far as files tell where the system project cannot be read."""
    files = load_projects(settings)
    try:
        return await stored_projects(settings, files)
    except StorageUnavailable as problem:
        log.warning("what was changed at run time is not known: %s", problem)
        return files
