"""The projects as the system project's database has them, read where it lies: for whoever works without a server, or
before one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from octonet import dialects
from octonet.access.sealing import AesSealer, derived, project_key
from octonet.admin.project_rows import ENTITY, ProjectRows, wanted
from octonet.admin.replica_rows import ENTITY as REPLICA
from octonet.admin.replica_rows import ReplicaRows, ReplicaSettings
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import Conflict, StorageUnavailable
from octonet.kernel.filter import EVERYTHING, Options
from octonet.kernel.ids import SYSTEM_PROJECT, Row
from octonet.kernel.storage import DatabaseOptions, Page, Strategy
from octonet.project_files import load_projects, system_of
from octonet.projects_tree import ProjectSettings

log = logging.getLogger("octonet")

_MOST = 1_000_000


def project_rows(settings: Settings) -> ProjectRows:
    """How this installation's rows are read and written."""
    key = project_key(DataDirectory(settings.data_dir).keys, SYSTEM_PROJECT)
    return ProjectRows(AesSealer(derived(key, "projects")))


def replica_rows(settings: Settings) -> ReplicaRows:
    """The same for replicas."""
    key = project_key(DataDirectory(settings.data_dir).keys, SYSTEM_PROJECT)
    return ReplicaRows(AesSealer(derived(key, "replicas")))


async def stored_projects(settings: Settings, files: Sequence[ProjectSettings]) -> list[ProjectSettings]:
    """The projects of the files, as they were changed at run time, and those that were added; just those of the files
    where there are no rows yet. Raises `StorageUnavailable`."""
    found = await _rows(settings, files, ENTITY)
    if found is None:
        return list(files)
    read = map(project_rows(settings).read, found)
    return wanted(files, {specified.project.name: specified for specified in read})


async def stored_replicas(settings: Settings, files: Sequence[ProjectSettings]) -> list[ReplicaSettings]:
    """The read replicas of all projects. Raises `StorageUnavailable`."""
    return list(map(replica_rows(settings).read, await _rows(settings, files, REPLICA) or ()))


async def _rows(settings: Settings, files: Sequence[ProjectSettings], entity: str) -> list[Row] | None:
    """All rows of an entity of the system project; None where it has no tables yet, or those of another build."""
    system = system_of(files)
    if system.dialect == "sqlite" and not Path(system.uri.removeprefix("sqlite:///")).exists():
        # To look would be to make it.
        return None
    database = await dialects.find(system.dialect).open(
        system.uri, system.schemas, DatabaseOptions(table_prefix=system.table_prefix)
    )
    try:
        await database.migrate(system.schemas, Strategy.VALIDATE)
        page = Page(EVERYTHING, Options(), _MOST)
        return await database.select(system.schemas.entities[entity], page)
    except Conflict:
        return None
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
