"""The rows of one entity as they were at one place, in a database made for them: the ordinary machinery answers every
query there as it does today. It is filled by whoever asks first, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from octonet.dialects.sqlite import DIALECT
from octonet.kernel.errors import Unavailable
from octonet.kernel.schema import Schemas
from octonet.kernel.storage import Database, DatabaseOptions, Stored, Strategy, Transaction
from octonet.past.file import VersionsFile
from octonet.past.rows import Told, lenient

_READERS: Final = 2


class Moment:
    """`directory` is its own, `versions` the file its rows come from, `told` how they are told. `timeout`: seconds that
    a query may take."""

    def __init__(
        self, directory: Path, versions: Path, place: int, schemas: Schemas, entity: str, told: Told, timeout: float
    ) -> None:
        self._path = directory / "rows.db"
        self._versions = versions
        self._place = place
        self._schema = schemas.entities[entity]
        self._lenient = lenient(schemas, entity)
        self._told = told
        self._options = DatabaseOptions(_READERS, timeout)
        self._database: Database | None = None
        self._filling: asyncio.Task[Database] | None = None
        self.users = 0
        """Queries that are being answered from it."""
        self.used = 0.0
        """When it was last asked, by the loop's clock."""

    async def filled(self, patience: float) -> Database:
        """The database, with its rows. Raises `Unavailable` with code HISTORY_NOT_READY when that takes longer than
        `patience`, in seconds, and then it goes on."""
        if self._database is not None:
            return self._database
        task = self._filling
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._filling = asyncio.create_task(self._fill(), name="rows of the past")
        done, _ = await asyncio.wait({task}, timeout=patience)
        if not done:
            sentence = f"the rows of {self._schema.name} as they were then are still being gathered"
            problem = Unavailable(sentence, code="HISTORY_NOT_READY")
            problem.retry_after = 2
            raise problem
        return task.result()

    def size(self) -> int:
        """Bytes on the disk."""
        return sum(file.stat().st_size for file in self._path.parent.iterdir() if file.is_file())

    async def close(self) -> None:
        """Release everything; the directory is somebody else's to remove."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        if self._database is not None:
            await self._database.close(kept=True)

    async def _fill(self) -> Database:
        work = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(self._write())))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            # What a thread has begun it ends.
            await asyncio.gather(work, return_exceptions=True)
            raise
        self._database = await DIALECT.open(str(self._path), self._lenient, self._options)
        return self._database

    async def _write(self) -> None:
        """In a thread, on a loop of its own."""
        self._path.unlink(missing_ok=True)
        database = await DIALECT.open(str(self._path), self._lenient, self._options)
        try:
            await database.migrate(self._lenient, Strategy.CREATE)
            transaction = await database.begin()
            try:
                await self._copy(transaction)
                await transaction.commit()
            finally:
                await transaction.rollback()
        finally:
            await database.close(kept=True)

    async def _copy(self, transaction: Transaction) -> None:
        bare = self._lenient.entities[self._schema.name]
        versions = VersionsFile(self._versions)
        try:
            for found in versions.rows(self._told.spans(self._schema.name, self._place)):
                rows = [Stored(v.id, v.version, self._told.state(self._schema, v, self._place)) for v in found]
                await transaction.insert(bare, rows)
        finally:
            versions.close()
