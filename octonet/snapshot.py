"""Taking a snapshot of a project, beside whoever serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from jetstream.endpoint import Endpoint
from octonet.access.sealing import AesSealer, project_key
from octonet.beside import catch_up, find, open_live
from octonet.clock import now
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.ids import ProjectName
from octonet.serving.stored_projects import known_projects
from octonet.snapshots.shelf import Shelf
from octonet.snapshots.taking import Taken, Taking


class Progress(Protocol):
    """Hears how far the work is."""

    def begin(self, what: str, unit: str, done: int, total: int) -> None:
        """It begins; a total of 0 is not known."""
        ...

    def add(self, more: int) -> None:
        """So much more of it is done."""
        ...


async def snapshot(
    settings: Settings, endpoint: Endpoint, ours: bool, name: ProjectName, keep: int | None, progress: Progress
) -> tuple[Path, Taken]:
    """Take one, keep so many, by default as many as the settings say; where it is, and what it holds. `ours`: nobody
    serves. Raises `OctonetError`."""
    project = find(await known_projects(settings), name)
    if ours:
        await catch_up(settings, endpoint, name)
    directory = DataDirectory(settings.data_dir)
    shelf = Shelf(directory.snapshots(name))
    live, schemas = await open_live(settings, project)
    try:
        progress.begin("snapshot", "row", 0, 0)
        taking = Taking(name, schemas, AesSealer(project_key(directory.keys, name)), tell=progress.add)
        path, taken = await shelf.add(lambda out: taking.take(live, out, now()))
    finally:
        await live.close()
    shelf.keep(settings.snapshots_kept if keep is None else keep)
    return path, taken
