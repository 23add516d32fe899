"""A database on a server that commits at every definition: its migrations are noted, and what is left of one that was
broken off is ended before anything is told of it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from octonet.dialects.engine.held import HeldConnection
from octonet.dialects.engine.held_database import HeldDatabase, Writing
from octonet.dialects.engine.journal_migrator import JOURNAL, DefiningWriter, Journalling, MigratingWriter
from octonet.dialects.engine.tables import Model
from octonet.dialects.engine.transaction import Writer
from octonet.kernel.storage import Contents, DatabaseOptions


class JournalledWriting(Writing, Protocol):
    """The connection that writes."""

    def is_open(self) -> bool:
        """Whether a transaction is open, or about to be."""
        ...


class JournalledDatabase(HeldDatabase):
    """The common half of such databases; a dialect adds how snapshots and plain writers are opened."""

    def __init__(
        self,
        told: Journalling,
        identity: str,
        model: Model,
        hold: Callable[[], HeldConnection],
        writing: JournalledWriting,
        options: DatabaseOptions,
        *,
        at_once: bool = True,
    ) -> None:
        super().__init__(told.grammar, told.listings, identity, model, hold, writing, options, at_once=at_once)
        self._told = told
        self._journalled = writing

    async def contents(self) -> Contents:
        """See the port. A migration that was broken off is undone first: nothing of it stands there."""
        found = await super().contents()
        journal = self._grammar.fold(f"{self._options.table_prefix}{JOURNAL}")
        if journal not in found.tables or self._journalled.is_open():
            return found
        await (await self._open_writer(self._queries.model, migrating=True)).rollback()
        return await super().contents()

    async def _open_writer(self, model: Model, *, migrating: bool) -> Writer:
        plain = await self._begun(model, migrating=migrating)
        if not migrating:
            return plain
        return await MigratingWriter(plain, self._told, model, self._options.table_prefix).begun()

    @abstractmethod
    async def _begun(self, model: Model, *, migrating: bool) -> DefiningWriter:
        """The driver's connection, with a transaction open."""
