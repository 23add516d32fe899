"""A project's database, filled from its log again, and held against what the backup says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from octonet.access.sealing import AesSealer, project_key
from octonet.backups.checking import digest_at
from octonet.backups.manifest import Backed
from octonet.config import Settings
from octonet.data_directory import DataDirectory
from octonet.kernel import schema_parse
from octonet.kernel.chain import Link
from octonet.kernel.errors import Conflict
from octonet.kernel.filter import EVERYTHING
from octonet.kernel.log import LogGap, Stream
from octonet.kernel.row_hash import RowHashes, row_hashes
from octonet.kernel.storage import Checkpoint, Database, Strategy
from octonet.projects_tree import ProjectSettings
from octonet.serving.storage import open_as_it_is
from octonet.snapshots.filling import unfinished
from projections.engine.fold import Fold


async def _breathe(facts: int) -> None:
    """nats-server hears of us between two commits: it hangs up on who is silent for long."""
    await asyncio.sleep(0)


class DatabaseRestoration:
    """One project's database; `folder` is the backup's."""

    def __init__(self, settings: Settings, project: ProjectSettings, folder: Path, backed: Backed) -> None:
        self._settings = settings
        self._project = project
        self._folder = folder
        self._backed = backed

    async def check(self) -> int:
        """Whether the database that is there, if any, is one of this history; returns the last frame that it knows to
        be decided. Raises `Conflict`; `StorageUnavailable` when it cannot be reached."""
        if self._is_gone():
            return 0
        database = await open_as_it_is(self._settings, self._project)
        try:
            return (await self._mark(database)).frame
        finally:
            await database.close()

    async def fill(self, log: Stream, tell: Callable[[Link], object]) -> bool:
        """Fold the log into it, up to the end of the backup; whether its rows were proved equal. Raises `Conflict`,
        code NOT_PROVED when they are not."""
        database = await open_as_it_is(self._settings, self._project)
        try:
            mark = await self._mark(database)
            schemas = self._project.schemas
            followed = await database.follows()
            if followed is None or followed.digest == schemas.digest:
                given = self._project.strategy in (Strategy.NONE, Strategy.VALIDATE)
                await database.migrate(schemas, self._project.strategy if given else Strategy.UPDATE)
            if mark.entry == 0:
                await self._check_empty(database)
            key = project_key(DataDirectory(self._settings.data_dir).keys, self._project.name)
            fold = Fold(log, database, schemas, AesSealer(key), as_logged=True, pace=_breathe)

            def told(link: Link) -> None:
                tell(link)

            proof = self._backed.proof
            proved = proof is not None and mark.entry <= proof.entry
            if proof is not None and proved:
                await fold.catch_up(proof.entry, told)
                self._compare(await self._hashes(database))
            await fold.catch_up(self._backed.last, told)
            return proved
        except LogGap as gap:
            raise Conflict(
                f"the database of project {self._project.name} cannot be filled from the log that was put back: {gap}. "
                "Empty it, or move it away, and go on with --resume",
                code="DATABASE_OF_ANOTHER_HISTORY",
            ) from gap
        finally:
            await database.close()

    async def _hashes(self, database: Database) -> RowHashes:
        followed = await database.follows()
        schemas = self._project.schemas
        if followed is not None and followed.digest != schemas.digest:
            schemas = schema_parse.parse(followed.source)
        return await row_hashes(database, schemas)

    def _compare(self, hashes: RowHashes) -> None:
        proof = self._backed.proof
        assert proof is not None
        differing = hashes.differing(RowHashes(hashes.checkpoint, proof.entities))
        if differing:
            raise Conflict(
                f"the restored database of project {self._project.name} is not what it was at entry {proof.entry}: "
                f"{', '.join(differing)} differ. One of the two was changed by somebody else. With --resume "
                "--without-databases the log counts, and the server folds it at its next start",
                code="NOT_PROVED",
            )

    async def _mark(self, database: Database) -> Checkpoint:
        """How far it has folded this history."""
        backed, name = self._backed, self._project.name
        mark = (await database.contents()).checkpoint or Checkpoint()
        if unfinished(mark):
            raise Conflict(
                f"the database of project {name} is only half filled from a snapshot: empty it, or move it away",
                code="DATABASE_OF_ANOTHER_HISTORY",
            )
        if mark.entry > backed.last:
            raise Conflict(
                f"the database of project {name} has folded {mark.entry} log entries, the backup ends at "
                f"{backed.last}: it is ahead. Use a newer backup, or empty that database (or move it away) to go "
                "back to what the backup holds",
                code="DATABASE_IS_NEWER",
            )
        if mark.entry and mark.digest != digest_at(self._folder, backed, mark.entry):
            raise Conflict(
                f"the database of project {name} is of another history: its entry {mark.entry} is not the one of the "
                "backup. Empty it, or move it away, to have it filled from the backup",
                code="DATABASE_OF_ANOTHER_HISTORY",
            )
        return mark

    async def _check_empty(self, database: Database) -> None:
        for schema in self._project.schemas.entities.values():
            if await database.count(schema, EVERYTHING, include_deleted=True):
                raise Conflict(
                    f"the database of project {self._project.name} holds rows of {schema.name} that came from no log: "
                    "empty it, or move it away",
                    code="TARGET_NOT_EMPTY",
                )

    def _is_gone(self) -> bool:
        """To look at a file would be to make it."""
        return self._project.dialect == "sqlite" and not Path(self._project.uri.removeprefix("sqlite:///")).exists()
