"""The session that writes to Spanner, and the transaction on it.

There are no savepoints, and a transaction that met a violated constraint is of no use any more: to go back, the
transaction is begun anew, and what had been written until the savepoint is written again (ADR-0030). So is what a
migration has written since its last commit, where another transaction was in the way of it: a lane decides anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn, TypeVar

import msgspec

from octonet.dialects.engine.faults import Contended, Lost
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.journal_steps import BETWEEN, DEFINES
from octonet.dialects.engine.session_writer import SessionWriter, WritingSession
from octonet.dialects.engine.sessions import Session
from octonet.dialects.engine.spanner_names import kept
from octonet.dialects.engine.spanner_server import Connection, Server
from octonet.dialects.engine.spanner_slices import sliced
from octonet.dialects.engine.spanner_turns import HOLD, PAUSE, READY, RENEW_SECONDS, TAKE, Turn, make
from octonet.dialects.engine.spanner_weight import Weight
from octonet.dialects.engine.tables import Model
from octonet.kernel.errors import StorageUnavailable

T = TypeVar("T")

_PIECE: Final = 20_000
"""Cells after which a migration, which can be undone anyway, commits what it has written."""
_SAVEPOINT: Final = re.compile(r"(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) (\w+)")
_TABLE_DROPPED: Final = re.compile(r"DROP TABLE (?:IF EXISTS )?`(\w+)`")


class _Written(msgspec.Struct, frozen=True):
    """A statement that was run over some lines, and how many rows it touched."""

    text: str
    lines: Sequence[Sequence[Cell]]
    many: bool
    touched: int = 0


class SpannerWriting(WritingSession):
    """Finds the database ready for more than one process, or makes it so."""

    def __init__(self, server: Server, prefix: str) -> None:
        super().__init__(server, server.connect)
        self._prefix = hashlib.sha256(prefix.encode()).hexdigest()[:40]

    async def _introduced(self, session: Session) -> str:
        ((turns, dialect),) = await session.rows(READY, ())
        if dialect not in (None, "GOOGLE_STANDARD_SQL"):
            session.terminate()
            raise StorageUnavailable(f"{self._host.address} speaks {dialect!s}: one in the dialect GoogleSQL is needed")
        if not turns:
            await make(session)
        return self._prefix


class SpannerWriter(SessionWriter):
    """The write transaction, for as long as it is open. `_lock` is the prefix in the table of turns."""

    def __init__(self, server: Server, model: Model, *, migrating: bool) -> None:
        super().__init__(server, model, migrating=migrating)
        self._migrating = migrating
        self._turn: Turn | None = None
        self._weight = Weight(model)
        self._written: list[_Written] = []
        """Since the transaction began."""
        self._savepoints: dict[str, int] = {}
        """What had been written when they were made."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return await self._insisted(lambda: super(SpannerWriter, self).rows(text, arguments))

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """Run a statement; the number of rows it touched."""
        if found := _SAVEPOINT.fullmatch(text):
            self._host.show(text)
            await self._stand(found[1], found[2])
            return 0
        if text in ("COMMIT", "ROLLBACK") or DEFINES.match(text):
            return await super().run(text, arguments)
        await self._piece()
        part = sliced(text, _PIECE) if self._migrating else None
        if part is not None:
            return await self._in_parts(part, arguments)
        touched = await self._write(_Written(text, (arguments,), False))
        self._weight.add(text, touched)
        return touched

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement over all the lines at once; the number of rows touched."""
        await self._piece()
        self._weight.add(text, len(lines), len(lines[0]))
        return await self._write(_Written(text, lines, True))

    async def define(self, text: str) -> None:
        """Commit what came before, and carry out one statement."""
        await self.settle()
        if DEFINES.match(text):
            await self._defined(await self._whole(text))
        else:
            await self.run(text)

    async def settle(self) -> None:
        """Commit, and go on under the same turn. Raises `Lost` when another one has it."""

        async def commit() -> None:
            await self._keep()
            await self.run("COMMIT")

        await self._insisted(commit)
        self._forget()

    async def reset(self) -> None:
        """Roll back to the last commit, and go on under the same turn."""
        await super().reset()
        self._forget()

    async def commit(self) -> None:
        """Commit, or, when that fails, roll back and raise."""
        try:
            if self._migrating:
                await self.settle()
        except BaseException:
            await self.rollback()
            raise
        await super().commit()

    async def _begin(self) -> None:
        self._forget()
        session = self._open
        assert isinstance(session, Connection)
        turn = self._turn = Turn(session, self._lock, held=self._migrating)
        try:
            async with asyncio.timeout(self._lock_seconds):
                while not await self._done(TAKE, turn.take()):
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            raise self._other() from None

    async def _let_go(self, session: Session) -> None:
        if self._turn is not None:
            await self._turn.give_back()

    def _raise(self, error: BaseException, text: str) -> NoReturn:
        if self._migrating and self._host.is_rolled_back(error):
            # The session goes on.
            self._host.raise_meaning(error, closed=False, model=self._model, statement=text)
        super()._raise(error, text)

    def _forget(self) -> None:
        self._written, self._savepoints = [], {}
        self._weight.clear()

    async def _keep(self) -> None:
        """Before a migration goes on: is the turn still ours?"""
        if self._migrating and self._turn is not None and not await self._done(HOLD, self._turn.keep()):
            raise Lost(f"the migration of {self._host.address} lost its turn")

    async def _defined(self, text: str) -> None:
        """However long it takes: the turn is kept meanwhile."""
        define = super().run
        task = asyncio.get_running_loop().create_task(self._insisted(lambda: define(text)))
        try:
            while not (await asyncio.wait({task}, timeout=RENEW_SECONDS))[0]:
                await self._keep()
        except BaseException:
            task.cancel()
            raise
        await task

    async def _whole(self, text: str) -> str:
        """A table is dropped behind its indexes."""
        found = _TABLE_DROPPED.fullmatch(text)
        if found is None:
            return text
        names = await self.rows(
            "SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES"
            f" WHERE TABLE_SCHEMA = '' AND TABLE_NAME = '{found[1]}' AND INDEX_TYPE = 'INDEX'",
            (),
        )
        return BETWEEN.join([*(f"DROP INDEX `{kept(str(name))}`" for (name,) in names), text])

    async def _piece(self) -> None:
        """What a migration has written so far is noted: it need not be one commit, which takes only so much."""
        if self._migrating and self._weight.cells > _PIECE:
            await self.settle()

    async def _in_parts(self, text: str, arguments: Sequence[Cell]) -> int:
        touched = 0
        while more := await self._write(_Written(text, (arguments,), False)):
            touched += more
            await self.settle()
        return touched

    async def _write(self, wanted: _Written) -> int:
        touched = await self._insisted(lambda: self._once(wanted))
        self._written.append(msgspec.structs.replace(wanted, touched=touched))
        return touched

    async def _once(self, wanted: _Written) -> int:
        if wanted.many:
            return await super().many(wanted.text, wanted.lines)
        return await super().run(wanted.text, wanted.lines[0])

    async def _insisted(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it; in a migration as often as another transaction is in the way, behind what was written before it."""
        deadline = asyncio.get_running_loop().time() + self._lock_seconds
        gone = False
        while True:
            try:
                if gone:
                    await self.run("ROLLBACK")
                    await self._again(self._written)
                return await work()
            except Contended:
                if not self._migrating or asyncio.get_running_loop().time() > deadline:
                    raise
                gone = True
                await asyncio.sleep(PAUSE)

    async def _again(self, written: Sequence[_Written]) -> None:
        for each in written:
            if await self._once(each) != each.touched:
                raise Lost(f"the rows of {self._host.address} were changed before they could be written again")

    async def _stand(self, word: str, name: str) -> None:
        if word == "SAVEPOINT":
            self._savepoints[name] = len(self._written)
        elif word == "RELEASE SAVEPOINT":
            self._savepoints.pop(name, None)
        else:
            await self._go_back(self._savepoints[name])

    async def _go_back(self, count: int) -> None:
        """To when so many statements had been run."""
        written, savepoints, turn = self._written[:count], self._savepoints, self._turn
        await self.restart()
        assert turn is not None
        assert self._turn is not None
        if self._turn.number != turn.number:
            raise Lost(f"another process has written to {self._host.address} before a savepoint was reached again")
        await self._again(written)
        for each in written:
            self._weight.add(each.text, each.touched, len(each.lines[0]) if each.many else 0)
        self._written = written
        self._savepoints = {name: at for name, at in savepoints.items() if at <= count}
