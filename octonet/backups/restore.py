"""`octonet restore`: everything is checked first; then the logs are put back, and the databases filled from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from tqdm import tqdm

from jetstream.connection import Connection, connect
from jetstream.endpoint import Endpoint
from jetstream.log import JetStreamLog
from octonet.backups import checking, keys
from octonet.backups.databases import DatabaseRestoration
from octonet.backups.history import LogRestoration
from octonet.backups.manifest import Backed, Manifest, read
from octonet.backups.vouching import set_aside
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel.chain import Link
from octonet.kernel.errors import NotFound
from octonet.kernel.ids import SYSTEM_PROJECT, ProjectName
from octonet.project_files import EVERY
from octonet.projects_tree import ProjectSettings
from octonet.serving.stored_projects import known_projects
from octonet.serving.surroundings import limits


class RestoreWish(msgspec.Struct, frozen=True):
    """What to restore. `resume`: go on where a restore was broken off, or where a log ends that is older; `databases`:
    fill them, too."""

    backup: Path
    projects: Sequence[str] = (EVERY,)
    resume: bool = False
    databases: bool = True
    quiet: bool = False


class ProjectRestored(msgspec.Struct, frozen=True):
    """One project: log messages in all, how many were put back now, whether its database was filled and its rows
    proved equal, and what an operator should know."""

    project: str
    last: int
    added: int
    filled: bool
    proved: bool
    notes: tuple[str, ...] = ()


async def check(wish: RestoreWish) -> Manifest:
    """Read all of a backup. Raises `OctonetError` at the first thing that is not as it was written."""
    manifest = read(wish.backup)
    chosen = _chosen(manifest, wish.projects)
    keys.kept(wish.backup, manifest, [])
    total = sum(backed.last for backed in chosen)
    with tqdm(total=total, unit="entry", desc="check", disable=wish.quiet) as bar:
        for backed in chosen:
            await checking.check(wish.backup, backed, bar.update)
    return manifest


async def restore(settings: Settings, endpoint: Endpoint, wish: RestoreWish) -> list[ProjectRestored]:
    """Restore; nobody else works on this data directory. Raises `OctonetError`; unless the sentence says otherwise,
    nothing was written then."""
    manifest = await check(wish)
    chosen = _chosen(manifest, wish.projects)
    # The system project's key is needed in any case: it tells where the others are.
    names = sorted({SYSTEM_PROJECT, *(backed.project for backed in chosen)})
    directory = DataDirectory(settings.data_dir).keys
    brought = keys.kept(wish.backup, manifest, names)
    keys.check(manifest, brought, directory, names)
    client = await connect(endpoint, "octonet restore")
    try:
        restoring = _Restoring(settings, client, wish, manifest)
        for backed in chosen:
            await restoring.look(backed)
        keys.bring(brought, directory)
        return await restoring.run(chosen)
    finally:
        await client.close()


class _Restoring:
    def __init__(self, settings: Settings, client: Connection, wish: RestoreWish, manifest: Manifest) -> None:
        self._settings = settings
        self._client = client
        self._wish = wish
        self._name = manifest.at
        self._logs: dict[str, LogRestoration] = {}
        self._frames: dict[str, int] = {}
        """The last frame that each database knows to be decided."""

    async def look(self, backed: Backed) -> None:
        """Whether the log can be put back."""
        bounds = limits(self._settings, ProjectName(backed.project))
        found = LogRestoration(self._wish.backup, self._name, backed, self._client, bounds)
        await found.check(self._wish.resume)
        self._logs[backed.project] = found

    async def run(self, chosen: Sequence[Backed]) -> list[ProjectRestored]:
        """Nobody serves anything before all of it is done. The system project comes first: it knows of the others."""
        ordered = sorted(chosen, key=lambda backed: backed.project != SYSTEM_PROJECT)
        known = await self._known()
        await self._look_at_databases(ordered, known)
        for log in self._logs.values():
            await log.begin()
        for backed in ordered:
            with self._bar(f"log of {backed.project}", backed.last - self._logs[backed.project].there) as bar:
                await self._logs[backed.project].put_back(bar.update)
        done: list[ProjectRestored] = []
        for backed in ordered:
            done.append(await self._settle(backed, known.get(backed.project)))
            if backed.project == SYSTEM_PROJECT:
                before, known = known, await self._known()
                new = {name: project for name, project in known.items() if before.get(name) != project}
                await self._look_at_databases(ordered[1:], new)
        for backed in reversed(ordered):
            await self._logs[backed.project].finish(self._frames.get(backed.project, 0))
        return done

    async def _known(self) -> dict[str, ProjectSettings]:
        return {project.name: project for project in await known_projects(self._settings)}

    async def _look_at_databases(self, chosen: Iterable[Backed], known: dict[str, ProjectSettings]) -> None:
        for backed in chosen:
            project = known.get(backed.project)
            if project is not None and not project.hold:
                self._frames[backed.project] = await self._database(project, backed).check()

    async def _settle(self, backed: Backed, project: ProjectSettings | None) -> ProjectRestored:
        """What is made from the log, which is there."""
        notes = [*set_aside(self._settings, ProjectName(backed.project), self._wish.backup, backed)]
        proved = filled = False
        if project is None:
            notes.append("no setting names it: its database is filled when one does")
        elif project.hold:
            notes.append(f"its database is not filled: {project.hold}")
        elif self._wish.databases:
            with self._bar(f"database of {backed.project}", backed.last) as bar:

                def tick(link: Link) -> None:
                    bar.update(link.sequence - bar.n)

                source = JetStreamLog(self._client, project.name)
                proved = await self._database(project, backed).fill(source, tick)
                filled = True
        added = backed.last - self._logs[backed.project].there
        return ProjectRestored(backed.project, backed.last, added, filled, proved, tuple(notes))

    def _database(self, project: ProjectSettings, backed: Backed) -> DatabaseRestoration:
        return DatabaseRestoration(self._settings, project, self._wish.backup, backed)

    def _bar(self, what: str, total: int) -> tqdm:  # type: ignore[type-arg]
        return tqdm(total=total, unit="entry", desc=what, disable=self._wish.quiet)


def _chosen(manifest: Manifest, wanted: Sequence[str]) -> list[Backed]:
    if EVERY in wanted:
        return list(manifest.projects)
    there = [backed.project for backed in manifest.projects]
    unknown = [name for name in wanted if name not in there]
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise NotFound(f"the backup has no project {names}; it has {', '.join(there)}", code="UNKNOWN_PROJECT")
    return [backed for backed in manifest.projects if backed.project in wanted]
