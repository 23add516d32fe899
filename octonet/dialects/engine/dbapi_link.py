"""One connection of a DB-API driver, whose every call blocks, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from octonet.dialects.engine.blocking import OwnThread
from octonet.dialects.engine.dbapi_driver import FAILURES, Cursor, Failure, Raw, errors_of
from octonet.dialects.engine.dbapi_product import Address, Product
from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.packets import packets

T = TypeVar("T")
_log = logging.getLogger("octonet.sql")

_GOODBYE_SECONDS: Final = 2.0
_LINES: Final = 1000
_LETTERS: Final = 1_000_000


class Link:
    """Open from its making to `close` or `cut`. Every call raises `Failure`. `seconds`, unless 0, is how long the
    server works on one statement."""

    def __init__(self, product: Product, driver: Any, at: Address, within: float, seconds: float = 0.0) -> None:
        self._product = product
        self._driver = driver
        self._errors = errors_of(driver)
        self.closed = False
        self._raw: Raw | None = None
        self._cursor: Cursor | None = None
        """Of the statement under way."""
        self._left: Raw | None = None
        """Cut, but not closed yet."""
        self._raw = self._done(lambda: product.connect(driver, at, within))
        if seconds:
            raw = self._raw
            self._done(lambda: product.limit(raw, seconds))

    def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        read, bound, sized = self._product.read, self._product.bound, self._product.sized
        said, values = self._said(text, arguments)

        def ask() -> list[Cells]:
            with self._statement() as cursor:
                sized(self._driver, cursor, (values,))
                cursor.execute(said, bound(values))
                return [tuple([read(cell) for cell in row]) for row in cursor.fetchall()]

        return self._done(ask)

    def run(self, text: str, arguments: Sequence[Cell]) -> int:
        """Run a statement; the number of rows it touched."""
        call = self._product.calls.get(text)
        if call is not None:
            raw = self._open
            self._done(lambda: call(raw))
            return 0
        said, values = self._said(text, arguments)
        return self._done(lambda: self._touched(said, values), text, (arguments,))

    def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement for each line; the number of rows touched in all. What an insert touches is not looked at by
        anybody: where the driver does not count, its lines still travel together."""
        if not self._product.counts_many and not text.startswith("INSERT"):
            return sum([self.run(text, line) for line in lines])
        alike = {text: lines} if self._product.said is None else self._alike(text, lines)
        return sum(
            [self._batch(said, some) for said, values in alike.items() for some in packets(values, _LINES, _LETTERS)]
        )

    def close(self) -> None:
        """Say goodbye."""
        raw, self._raw = self._raw, None
        self.closed = True
        if raw is not None:
            self._done(raw.close)

    def cut(self) -> None:
        """End it from any thread, whatever it does."""
        raw, self._raw = self._raw, None
        self.closed = True
        if raw is not None:
            self._left = raw
            self._done(lambda: self._product.cancel(raw, self._cursor))

    def leave(self) -> None:
        """What is to be done in its own thread when it was cut, and does nothing any more."""
        raw, self._left = self._left, None
        if raw is not None:
            try:
                self._done(raw.close)
            except Failure as problem:
                _log.debug("a connection that was cut ended badly: %s", problem)

    @property
    def _open(self) -> Raw:
        if self._raw is None:
            self.closed = True
            raise Failure("the connection is closed")
        return self._raw

    @contextmanager
    def _statement(self) -> Iterator[Cursor]:
        cursor = self._cursor = self._open.cursor()
        try:
            yield cursor
        finally:
            self._cursor = None
            cursor.close()

    def _said(self, text: str, arguments: Sequence[Cell]) -> tuple[str, Sequence[Cell]]:
        say = self._product.said
        return (text, arguments) if say is None else say(text, arguments)

    def _alike(self, text: str, lines: Sequence[Sequence[Cell]]) -> Mapping[str, Sequence[Sequence[Cell]]]:
        """What is said, each with the arguments of all the lines that it is said for."""
        alike: dict[str, list[Sequence[Cell]]] = {}
        for line in lines:
            said, values = self._said(text, line)
            alike.setdefault(said, []).append(values)
        return alike

    def _touched(self, text: str, arguments: Sequence[Cell]) -> int:
        with self._statement() as cursor:
            self._product.sized(self._driver, cursor, (arguments,))
            cursor.execute(text, self._product.bound(arguments))
            touched = max(cursor.rowcount, 0)
            self._product.rest(cursor)
            return touched

    def _batch(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        def run() -> int:
            with self._statement() as cursor:
                self._product.sized(self._driver, cursor, lines)
                cursor.executemany(text, [self._product.bound(line) for line in lines])
                return max(cursor.rowcount, 0)

        return self._done(run, text, lines)

    def _done(self, work: Callable[[], T], text: str = "", lines: Sequence[Sequence[Cell]] = ()) -> T:
        try:
            return work()
        except self._errors as error:
            failure = self._product.told(error)
            if self._product.meanings.is_gone(failure):
                self.closed = True
            # What it is asked for meanings goes no further than to this one.
            raise self._explained(failure, text, lines) from None

    def _explained(self, failure: Failure, text: str, lines: Sequence[Sequence[Cell]]) -> Failure:
        ask, raw = self._product.explained, self._raw
        if ask is None or not text or raw is None or self.closed:
            return failure
        try:
            added = ask(raw, failure, text, lines)
        except self._errors as problem:
            _log.debug("nothing more is known of an error: %s", problem)
            return failure
        return Failure(f"{failure}{added}", failure.code, failure.state)


class Connection:
    """A link in its thread. Implements `octonet.dialects.engine.sessions.Session`."""

    thread = 0
    """A statement that is given up is ended through the driver."""

    def __init__(self, link: Link, thread: OwnThread, words: Callable[[str], str]) -> None:
        self._link = link
        self._own = thread
        self._words = words

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return await self._done(lambda: self._link.rows(text, arguments))

    async def run(self, text: str, arguments: Sequence[Cell]) -> int:
        """Run a statement; the number of rows it touched, or found for an update."""
        said = self._words(text)
        return await self._done(lambda: self._link.run(said, arguments)) if said else 0

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement for each line of arguments; the number of rows touched in all. Where one fails, those before
        it may have been carried out."""
        return await self._done(lambda: self._link.many(text, lines))

    def is_closed(self) -> bool:
        """Whether it has ended, by whomever."""
        return self._link.closed

    def terminate(self) -> None:
        """Cut it."""
        try:
            self._link.cut()
        except Failure as problem:
            _log.debug("a connection was cut already: %s", problem)
        self._own.end(self._link.leave)

    async def close(self) -> None:
        """Say goodbye."""
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._own.run(self._link.close)
        except FAILURES as problem:
            _log.debug("a connection ended without a goodbye: %s", problem)
        self.terminate()

    async def _done(self, work: Callable[[], T]) -> T:
        if self._link.closed:
            raise Failure("the connection is closed")
        try:
            return await self._own.run(work)
        except asyncio.CancelledError:
            self.terminate()
            raise
