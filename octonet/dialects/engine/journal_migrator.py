"""The write transaction of a migration on a database that commits at every definition. That all of a migration is done
or nothing, also when its process or the server dies in the middle, is looked after here: before each definition it is
noted, in a table of its own, how it is undone. What a migration gives up is only put aside until the commit.

Whoever migrates next first ends what another left: undoes it where it was not committed, else drops what was put
aside. Then it does its own migration, which is the one that was broken off if the schemas are still the same."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol, Self

import msgspec
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from octonet.dialects.engine import standing
from octonet.dialects.engine.grammar import Cell, Cells, Grammar
from octonet.dialects.engine.inventory import Listings, take
from octonet.dialects.engine.journal_steps import BETWEEN, DEFINES, Spelling, Step, Steps, names_in
from octonet.dialects.engine.names import quoted
from octonet.dialects.engine.statement import Binder, compiled
from octonet.dialects.engine.tables import Model
from octonet.dialects.engine.transaction import Writer
from octonet.kernel.errors import OctonetError
from octonet.kernel.schema import ID, FieldType

_log = logging.getLogger("octonet.sql")

JOURNAL: Final = "octonet_undo"


class Journalling(msgspec.Struct, frozen=True):
    """What there is to know of a database whose migrations are noted."""

    grammar: Grammar
    listings: Listings
    spelling: Spelling
    failures: tuple[type[Exception], ...]
    """What its driver raises, apart from errors of ours, where a definition is refused."""
    doubtful: Callable[[BaseException], bool]
    """Whether an error says only that something was made, renamed or dropped before."""


class DefiningWriter(Writer, Protocol):
    """A write transaction in which definitions are committed, and which stays under its lock until it is over."""

    def is_open(self) -> bool:
        """Whether there is something to commit or to roll back."""
        ...

    async def define(self, text: str) -> None:
        """Commit what came before, and carry out one statement that is committed, too, or has done nothing."""
        ...

    async def settle(self) -> None:
        """Commit, and go on under the same lock."""
        ...

    async def reset(self) -> None:
        """Roll back to the last commit, and go on under the same lock."""
        ...


class MigratingWriter:
    """Implements `octonet.dialects.engine.transaction.Writer` with definitions that a rollback takes back."""

    def __init__(self, plain: DefiningWriter, told: Journalling, model: Model, prefix: str) -> None:
        self._plain = plain
        self._told = told
        self._failures: tuple[type[Exception], ...] = (OctonetError, *told.failures)
        self._model = model
        self._prefix = prefix
        self._journal = _table(f"{prefix}{JOURNAL}", told.grammar)
        self._fills = _fills(told.grammar)
        self._steps: Steps | None = None
        """There is something in the journal."""
        self._number = 0
        self._added: set[tuple[str, str]] = set()
        """Columns that were not there before: what is written into them goes with them."""

    async def begun(self) -> Self:
        """The same, when what another migration left is ended; else nothing is left open."""
        try:
            if await self._is_there(self._journal.name):
                await self._end()
        except BaseException:
            await self._plain.rollback()
            raise
        return self

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return await self._plain.rows(text, arguments)

    async def run(self, text: str, arguments: Sequence[Cell] = ()) -> int:
        """Run a statement; the number of rows it touched."""
        if DEFINES.match(text):
            await self._define(text)
            return 0
        fills = self._fills.fullmatch(text)
        if fills and (fills["table"], fills["column"]) not in self._added:
            await self._note_rows(fills["table"], fills["column"], fills["where"])
        return await self._plain.run(text, arguments)

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement over all the lines at once; the number of rows touched."""
        return await self._plain.many(text, lines)

    async def commit(self) -> None:
        """Commit, or, when that fails, roll back and raise."""
        if self._steps is None:
            await self._plain.commit()
            return
        try:
            columns = self._journal.c
            noted = columns["number"] > sa.literal_column("0"), columns["statement"].is_not(None)
            await self._run(sa.delete(self._journal).where(*noted))
            await self._plain.settle()
        except BaseException:
            await self.rollback()
            raise
        self._steps = None
        try:
            await self._end()
        except OctonetError as problem:
            _log.warning("what the migration gave up is dropped by the next one: %s", problem)
        finally:
            await self._plain.rollback()

    async def rollback(self) -> None:
        """Roll back, definitions included; nothing happens when the transaction is already over. What cannot be
        undone now is undone by whoever migrates next."""
        try:
            if self._steps is not None and self._plain.is_open():
                self._steps = None
                await self._plain.reset()
                await self._end()
        except OctonetError as problem:
            _log.warning("the migration is undone by the next one: %s", problem)
        finally:
            await self._plain.rollback()

    async def restart(self) -> None:
        """Undo everything, and begin anew. Raises as a begin does."""
        await self.rollback()
        await self._plain.restart()

    async def _define(self, text: str) -> None:
        steps = self._steps or await self._opened()
        for step in steps.of(text):
            await self._take(step)

    async def _take(self, step: Step) -> None:
        self._number += 1
        await self._note(self._number, step)
        if not step.now:
            return
        try:
            for text in step.now.split(BETWEEN):
                await self._plain.define(text)
        except self._failures:
            # Each statement is carried out as a whole or not at all.
            if self._plain.is_open():
                if BETWEEN in step.now:
                    await self._again(step.undo)
                await self._forget(self._number, -self._number)
            raise
        if step.added:
            self._added.add(step.added)

    async def _opened(self) -> Steps:
        await self._plain.define(self._text(CreateTable(self._journal)))
        indexes: dict[str, str] = {}
        followed = self._model.followed
        if await self._is_there(followed.name):
            for (text,) in await self._plain.rows(self._text(sa.select(followed.c["standing"])), ()):
                indexes |= standing.read(str(text)).indexes
        self._steps = Steps(self._told.grammar, self._told.spelling, self._prefix, indexes)
        return self._steps

    async def _note(self, number: int, step: Step) -> None:
        """Committed with the definition, or before it."""
        await self._insert(number, step.undo)
        if step.later:
            await self._insert(-number, step.later)

    async def _note_rows(self, table: str, column: str, where: str) -> None:
        """Rows that are about to get a value they do not have. They stand under the number of what takes it from them
        again, beside that, which is no row's."""
        if self._steps is None:
            await self._opened()
        self._number += 1
        journal, number = self._quoted(self._journal.name), self._number
        names = {name: self._quoted(name) for name in ("number", ID)}
        noted = f"SELECT {names[ID]} FROM {journal} WHERE {names['number']} = {number}"
        await self._note(number, Step("", f"UPDATE {table} SET {column} = NULL WHERE {names[ID]} IN ({noted})"))
        select = f"SELECT {number}, {names[ID]} FROM {table} WHERE {where}"
        await self._plain.run(f"INSERT INTO {journal} ({names['number']}, {names[ID]}) {select}")

    async def _end(self) -> None:
        """Undo what the journal says, the last first, or, where it was committed, drop what was put aside."""
        columns = self._journal.c
        select = sa.select(columns["number"], columns["statement"]).where(columns["statement"].is_not(None))
        found = await self._plain.rows(self._text(select), ())
        noted = sorted(((int(str(number)), str(text)) for number, text in found), reverse=True)
        undone = [(number, text) for number, text in noted if number > 0]
        for number, text in undone or noted:
            await self._again(text)
            await self._forget(number)
            await self._plain.settle()
        await self._plain.define(self._told.spelling.drop_table.format(table=self._quoted(self._journal.name)))

    async def _again(self, text: str) -> None:
        """Run statements that may have been run before, or may have nothing to undo."""
        for each in text.split(BETWEEN) if text else ():
            try:
                await self._plain.define(each)
            except self._failures as problem:
                if not self._told.doubtful(problem.__cause__ or problem):
                    raise
                _log.debug("already so: %s", each)

    async def _insert(self, number: int, text: str) -> None:
        binder = Binder()
        insert = sa.insert(self._journal).values(number=binder.next(), id="", statement=binder.next())
        statement = compiled(self._told.grammar, insert, binder)
        await self._plain.run(statement.text, statement.arguments((number, text)))

    async def _forget(self, *numbers: int) -> None:
        listed: list[sa.ColumnElement[object]] = [sa.literal_column(str(number)) for number in numbers]
        await self._run(sa.delete(self._journal).where(self._journal.c["number"].in_(listed)))

    async def _run(self, clause: sa.Delete) -> None:
        await self._plain.run(self._text(clause))

    async def _is_there(self, table: str) -> bool:
        there = await take(self._plain, self._told.listings, self._told.grammar)
        return self._told.grammar.fold(table) in there.columns

    def _text(self, clause: sa.ClauseElement) -> str:
        return str(clause.compile(dialect=self._told.grammar.compiler)).strip()

    def _quoted(self, name: str) -> str:
        return self._told.grammar.compiler.identifier_preparer.quote(quoted(name))


def _table(name: str, grammar: Grammar) -> sa.Table:
    key = grammar.key or grammar.types[FieldType.STRING]
    return sa.Table(
        quoted(name),
        sa.MetaData(),
        sa.Column(quoted("number"), sa.Integer, primary_key=True, autoincrement=False, key="number"),
        sa.Column(quoted(ID), key, primary_key=True, nullable=False, key="id"),
        sa.Column(quoted("statement"), grammar.kept or grammar.types[FieldType.TEXT], key="statement"),
    )


def _fills(grammar: Grammar) -> re.Pattern[str]:
    """A default for those rows of a column that have no value."""
    name = names_in(grammar)
    table = rf"(?P<table>{name}(?: AS {name})?)"
    return re.compile(rf"UPDATE {table} SET (?P<column>{name})=\S+ WHERE (?P<where>.*{name}\.{name}.*)")
