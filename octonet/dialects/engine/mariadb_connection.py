"""One connection of MariaDB's driver: statements prepared once, arguments sent beside the text and never in it."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import asyncmy

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.mariadb_errors import FAILURES
from octonet.dialects.engine.packets import packets

_STATEMENTS: Final = 128
"""Prepared statements that one connection keeps; a server has 16382 for all by default."""
_LINES: Final = 5000
_LETTERS: Final = 1_000_000
"""Of one packet: a server takes 16 MiB by default."""
_GOODBYE_SECONDS: Final = 2.0
_MOST_ARGUMENTS: Final = 65_535
"""Of one statement."""
_WIDTHS: Final = (256, 32, 4)
_VALUES: Final = re.compile(r"^INSERT INTO .* VALUES (\((?:\?(?:, )?)+\))$", re.DOTALL)
_MARK: Final = re.compile(r"`(?:[^`]|``)*`|'(?:[^']|'')*'|(\?)")


class _Result(Protocol):
    rows: Sequence[Cells] | None
    affected_rows: int


class _Prepared(Protocol):
    async def execute(self, args: Sequence[Cell] = ()) -> _Result: ...
    async def execute_bulk(self, rows: Sequence[Sequence[Cell]]) -> _Result: ...
    async def close(self) -> None: ...


class Driver(Protocol):
    """What is used of the driver's own connection."""

    _stream_broken: bool
    """It says so itself only when it is asked for something."""

    def get_server_info(self) -> str: ...
    def thread_id(self) -> int: ...
    async def prepare(self, query: str) -> _Prepared: ...
    async def query(self, sql: str) -> int: ...
    async def ensure_closed(self) -> None: ...
    def close(self) -> None: ...


class Connection:
    """What is used of the driver's connection. One that was given up in the middle of a statement is closed: nobody
    knows what it would answer next."""

    def __init__(self, driver: Driver, *, joins_rows: bool = False) -> None:
        self.driver = driver
        self._joins_rows = joins_rows
        self._prepared: OrderedDict[str, _Prepared] = OrderedDict()
        self._closed = False
        self.server_version = driver.get_server_info()
        self.thread = driver.thread_id()

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        return list((await self._executed(text, arguments)).rows or ())

    async def run(self, text: str, arguments: Sequence[Cell]) -> int:
        """Run a statement; the number of rows it touched, or found for an update."""
        if arguments:
            return (await self._executed(text, arguments)).affected_rows
        try:
            return await self.driver.query(text)
        except asyncio.CancelledError:
            self.terminate()
            raise

    async def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement for each line of arguments; the number of rows touched in all. Where one fails, those before
        it may have been carried out."""
        return sum([await self._bulk(text, chunk) for chunk in packets(lines, _LINES, _LETTERS)])

    def is_closed(self) -> bool:
        """Whether it has ended, by whomever."""
        return self._closed or self.driver._stream_broken

    def terminate(self) -> None:
        """Cut it."""
        self._closed = True
        self.driver.close()

    async def close(self) -> None:
        """Say goodbye."""
        self._closed = True
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self.driver.ensure_closed()
        except FAILURES:
            self.driver.close()

    async def _executed(self, text: str, arguments: Sequence[Cell]) -> _Result:
        try:
            statement = await self._statement(text)
            return await statement.execute(tuple(arguments))
        except asyncio.CancelledError:
            self.terminate()
            raise

    async def _statement(self, text: str) -> _Prepared:
        found = self._prepared.get(text)
        if found is not None:
            self._prepared.move_to_end(text)
            return found
        made = self._prepared[text] = await self.driver.prepare(text)
        if len(self._prepared) > _STATEMENTS:
            await self._prepared.popitem(last=False)[1].close()
        return made

    async def _bulk(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """All lines in one packet, which takes a column of one type, and none of nothing but nulls."""
        if len(lines) == 1:
            return (await self._executed(text, lines[0])).affected_rows
        if self._joins_rows:
            return sum(
                [(await self._executed(joined, cells)).affected_rows for joined, cells in rows_joined(text, lines)]
            )
        columns = [_of_one_type(column) for column in zip(*lines, strict=True)]
        empty = {number for number, column in enumerate(columns) if all(cell is None for cell in column)}
        kept = [column for number, column in enumerate(columns) if number not in empty]
        shorter = _without(text, empty) if empty else text
        try:
            statement = await self._statement(shorter)
            return (await statement.execute_bulk(list(zip(*kept, strict=True)))).affected_rows
        except asyncio.CancelledError:
            self.terminate()
            raise
        except (ValueError, asyncmy.NotSupportedError):
            # Told before anything was sent.
            return sum([(await self._executed(text, line)).affected_rows for line in lines])


def rows_joined(text: str, lines: Sequence[Sequence[Cell]]) -> Iterator[tuple[str, Sequence[Cell]]]:
    """An INSERT of one row as statements of several, of few different lengths, so that each is prepared once; any other
    statement as often as there are lines."""
    found = _VALUES.search(text)
    widths = (*_WIDTHS, 1) if found else (1,)
    start = 0
    while start < len(lines):
        room = max(1, _MOST_ARGUMENTS // len(lines[start]))
        width = next(each for each in widths if each == 1 or (start + each <= len(lines) and each <= room))
        cells = [cell for line in lines[start : start + width] for cell in line]
        joined = f"{text}{f', {found[1]}' * (width - 1)}" if found else text
        yield joined, cells
        start += width


def _of_one_type(column: Sequence[Cell]) -> Sequence[Cell]:
    """Whole numbers among fractions become fractions: the column they go to holds nothing else."""
    if {int, float} <= {type(cell) for cell in column}:
        return [float(cell) if isinstance(cell, int) else cell for cell in column]
    return column


def _without(text: str, places: set[int]) -> str:
    """The statement with a null in the place of these parameters."""
    numbers = iter(range(text.count("?")))
    return _MARK.sub(lambda mark: "NULL" if mark[1] and next(numbers) in places else mark[0], text)
