"""The write transaction of a migration on MariaDB, which commits at every definition. That all of a migration is done
or nothing, also when its process or the server dies in the middle, is looked after here: before each definition it is
noted, in a table of its own, how it is undone. What a migration gives up is only put aside until the commit.

Whoever migrates next first ends what another left: undoes it where it was not committed, else drops what was put
aside. Then it does its own migration, which is the one that was broken off if the schemas are still the same."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from asyncmy.errors import MySQLError

from octonet.dialects.engine import standing
from octonet.dialects.engine.grammar import Cell
from octonet.dialects.engine.mariadb_ddl import TABLE
from octonet.dialects.engine.mariadb_errors import DOUBTFUL, code_of
from octonet.dialects.engine.mariadb_server import Server
from octonet.dialects.engine.mariadb_steps import DEFINES, FILLS, Step, Steps
from octonet.dialects.engine.mariadb_writer import MIGRATION_LOCK_SECONDS, MariadbWriter
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import OctonetError

_log = logging.getLogger("octonet.sql")

JOURNAL: Final = "octonet_undo"
_IS_THERE: Final = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"


class MigratingWriter(MariadbWriter):
    """Implements `octonet.dialects.engine.transaction.Writer` with definitions that a rollback takes back."""

    lock_seconds = MIGRATION_LOCK_SECONDS
    patience = None

    def __init__(self, server: Server, model: Model, prefix: str) -> None:
        super().__init__(server, model)
        self._prefix = prefix
        self._journal = f"`{_escaped(prefix)}{JOURNAL}`"
        self._steps: Steps | None = None
        """There is something in the journal."""
        self._number = 0
        self._added: set[tuple[str, str]] = set()
        """Columns that were not there before: what is written into them goes with them."""

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """Run a statement; the number of rows it touched."""
        if DEFINES.match(text):
            await self._define(text)
            return 0
        fills = FILLS.fullmatch(text)
        if fills and (fills[1], fills[2]) not in self._added:
            await self._note_rows(fills[1], fills[2])
        return await super().run(text, arguments)

    async def commit(self) -> None:
        """Commit, or, when that fails, roll back and raise."""
        if self._steps is None:
            await super().commit()
            return
        try:
            await super().run(f"DELETE FROM {self._journal} WHERE number > 0")
            await super().run("COMMIT")
        except BaseException:
            await self.rollback()
            raise
        self._steps = None
        try:
            await self._end()
        except OctonetError as problem:
            _log.warning("what the migration gave up is dropped by the next one: %s", problem)
        await self._release()

    async def rollback(self) -> None:
        """Roll back, definitions included; nothing happens when the transaction is already over. What cannot be
        undone now is undone by whoever migrates next."""
        if self._steps is not None and self.is_open():
            self._steps = None
            try:
                await super().run("ROLLBACK")
                await self._end()
            except OctonetError as problem:
                _log.warning("the migration is undone by the next one: %s", problem)
        await super().rollback()

    async def _begin(self) -> None:
        await super()._begin()
        if await self._is_there(JOURNAL):
            await self._end()

    async def _define(self, text: str) -> None:
        steps = self._steps or await self._opened()
        self._number += 1
        step = steps.of(text, self._number)
        await self._note(self._number, step)
        try:
            await super().run(step.now)
        except (OctonetError, MySQLError):
            # Each definition is carried out as a whole or not at all.
            if self.is_open():
                await super().run(f"DELETE FROM {self._journal} WHERE ABS(number) = ?", (self._number,))
            raise
        if step.undo.startswith("ALTER TABLE ") and " DROP COLUMN IF EXISTS " in step.undo:
            table, column = step.undo.removeprefix("ALTER TABLE ").split(" DROP COLUMN IF EXISTS ")
            self._added.add((table, column))

    async def _opened(self) -> Steps:
        await super().run(
            f"CREATE TABLE {self._journal} (number INTEGER NOT NULL, id VARCHAR(255) NOT NULL DEFAULT '',"
            f" statement LONGTEXT, PRIMARY KEY (number, id)) {TABLE}"
        )
        indexes: dict[str, str] = {}
        name = str(self._model.followed.name)
        if await self._is_there(name):
            for (text,) in await self.rows(f"SELECT standing FROM `{_escaped(name)}`", ()):
                indexes |= standing.read(str(text)).indexes
        self._steps = Steps(_escaped(self._prefix), indexes)
        return self._steps

    async def _note(self, number: int, step: Step) -> None:
        """Committed by the definition, before anything else."""
        insert = f"INSERT INTO {self._journal} (number, statement) VALUES (?, ?)"
        await super().run(insert, (number, step.undo))
        if step.later:
            await super().run(insert, (-number, step.later))

    async def _note_rows(self, table: str, column: str) -> None:
        """Rows that are about to get a value they do not have."""
        if self._steps is None:
            await self._opened()
        self._number += 1
        journal, number = self._journal, self._number
        undo = (
            f"UPDATE {table} JOIN {journal} ON {journal}.number = {number} AND {journal}.id = {table}.id"
            f" SET {table}.{column} = NULL"
        )
        await self._note(number, Step("", undo))
        select = f"SELECT {number}, id FROM {table} WHERE {column} IS NULL"
        await super().run(f"INSERT INTO {journal} (number, id) {select}")

    async def _end(self) -> None:
        """Undo what the journal says, the last first, or, where it was committed, drop what was put aside."""
        found = await self.rows(f"SELECT number, statement FROM {self._journal} WHERE id = ''", ())
        noted = sorted(((int(str(number)), str(text)) for number, text in found), reverse=True)
        undone = [(number, text) for number, text in noted if number > 0]
        for number, text in undone or noted:
            await self._again(text)
            await super().run(f"DELETE FROM {self._journal} WHERE number = ?", (number,))
            await super().run("COMMIT")
        await super().run(f"DROP TABLE IF EXISTS {self._journal}")

    async def _again(self, text: str) -> None:
        """Run a statement that may have been run before, or may have nothing to undo."""
        try:
            await super().run(text)
        except (OctonetError, MySQLError) as problem:
            if code_of(problem.__cause__ or problem) not in DOUBTFUL:
                raise
            _log.debug("already so: %s", text)

    async def _is_there(self, table: str) -> bool:
        name = f"{self._prefix}{JOURNAL}" if table == JOURNAL else table
        return (await self.rows(_IS_THERE, (name,)))[0][0] != 0


def _escaped(name: str) -> str:
    """As it stands between backticks."""
    return name.replace("`", "``")
