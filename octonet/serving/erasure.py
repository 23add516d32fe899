"""Erasing a project: its streams, its tables or file, its key."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from jetstream.connection import Connection
from jetstream.topology import remove_project
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.errors import OctonetError
from octonet.kernel.ids import ProjectName
from octonet.kernel.storage import Strategy
from octonet.past.catching_up import forget
from octonet.projects_tree import ProjectSettings
from octonet.serving.storage import open_database

log = logging.getLogger("octonet")

_LOOK = 0.05


class Erasure:
    """`owner` tells the worker that owns a project, empty when none does."""

    def __init__(self, settings: Settings, client: Connection, owner: Callable[[ProjectName], str]) -> None:
        self._settings = settings
        self._client = client
        self._owner = owner

    async def erase(self, project: ProjectSettings) -> None:
        """As soon as nobody serves the project. May be done again, as far as it was not done. Raises `Unavailable`;
        a database that cannot be reached keeps its tables, which is logged."""
        while self._owner(project.name):
            await asyncio.sleep(_LOOK)
        await remove_project(self._client, project.name)
        directory = DataDirectory(self._settings.data_dir)
        file = _file(project, (directory.path, sandboxes(self._settings)))
        if file is None:
            await self._drop_tables(project)
        else:
            for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
                path.unlink(missing_ok=True)
        # Without the key nobody reads the secrets of any copy of the log.
        (directory.keys / f"{project.name}.key").unlink(missing_ok=True)
        directory.checkpoint(project.name).unlink(missing_ok=True)
        forget(directory.history / f"{project.name}.db")
        shutil.rmtree(directory.snapshots(project.name), ignore_errors=True)
        log.info("project %s is erased", project.name)

    async def _drop_tables(self, project: ProjectSettings) -> None:
        try:
            database = await open_database(self._settings, project, Strategy.CREATE_DROP)
            await database.close()
        except OctonetError as problem:
            log.warning("the tables of project %s are still there: %s", project.name, problem)


def sandboxes(settings: Settings) -> Path:
    """The directory of sandboxes."""
    return (
        Path(settings.trial_dir).absolute() if settings.trial_dir else DataDirectory(settings.data_dir).path / "trials"
    )


def _file(project: ProjectSettings, directories: Collection[Path]) -> Path | None:
    """The file of a project that has one of its own in one of our directories."""
    path = Path(project.uri.removeprefix("sqlite:///"))
    own = project.dialect == "sqlite" and not project.table_prefix and any(one in path.parents for one in directories)
    return path if own else None
