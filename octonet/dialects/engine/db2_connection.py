"""A connection of IBM's driver, as far as it is used. Each statement is a transaction unless one was opened; the
driver, and not the server, is told when one begins. A statement may be given a deadline, before it is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

from octonet.dialects.engine.dbapi_driver import Cursor, Failure, Raw

MOST_VALUES: Final = 32_767
TOO_LARGE: Final = -101
"""A statement is too long, or too complex."""


class _DriverCursor(Cursor, Protocol):
    stmt_handler: object

    def prepare(self, text: str, /) -> object: ...


class _DriverConnection(Protocol):
    def cursor(self) -> Cursor: ...

    def commit(self) -> object: ...

    def rollback(self) -> object: ...

    def close(self) -> object: ...

    def set_autocommit(self, on: bool, /) -> object: ...


class Db2Connection:
    """Implements `octonet.dialects.engine.dbapi_driver.Raw`; `driver` is the module beneath the one of DB-API."""

    def __init__(self, driver: Any, connection: _DriverConnection) -> None:
        self._driver = driver
        self._connection = connection
        self.seconds = 0
        """How long a statement may take; 0 for ever."""

    def cursor(self) -> Db2Cursor:
        """For one statement."""
        return Db2Cursor(self._driver, cast("_DriverCursor", self._connection.cursor()), self.seconds)

    def begin(self) -> None:
        """Open a transaction."""
        self._connection.set_autocommit(False)

    def commit(self) -> None:
        """End it."""
        self._connection.commit()
        self._connection.set_autocommit(True)

    def rollback(self) -> None:
        """Undo it."""
        self._connection.rollback()
        self._connection.set_autocommit(True)

    def close(self) -> None:
        """Say goodbye."""
        self._connection.close()


class Db2Cursor:
    """Implements `octonet.dialects.engine.dbapi_driver.Cursor`."""

    def __init__(self, driver: Any, cursor: _DriverCursor, seconds: int) -> None:
        self._driver = driver
        self._cursor = cursor
        self._seconds = seconds

    @property
    def rowcount(self) -> int:
        """Rows touched."""
        return self._cursor.rowcount

    def setinputsizes(self, *kinds: object) -> None:
        """The server is asked."""

    def execute(self, text: str, arguments: Sequence[object]) -> None:
        """Run a statement."""
        if len(arguments) > MOST_VALUES:
            raise Failure(f"a statement takes {MOST_VALUES} values, not {len(arguments)}", TOO_LARGE)
        self._cursor.prepare(text)
        if self._seconds:
            option = self._driver.SQL_ATTR_QUERY_TIMEOUT
            self._driver.set_option(self._cursor.stmt_handler, {option: self._seconds}, 0)
        self._cursor.execute(None, tuple(arguments) or None)  # type: ignore[arg-type]

    def executemany(self, text: str, lines: Sequence[Sequence[object]]) -> None:
        """Run a statement for each line. The driver wants one type for each column."""
        fractions = [any(isinstance(cell, float) for cell in column) for column in zip(*lines, strict=True)]
        self._cursor.executemany(text, [tuple(map(_alike, line, fractions)) for line in lines])

    def fetchall(self) -> Sequence[Sequence[object]]:
        """All rows of the answer."""
        return self._cursor.fetchall()

    def close(self) -> None:
        """Forget the answer. What was never prepared has none."""
        if self._cursor.stmt_handler is not None:
            self._cursor.close()


def _alike(cell: object, fraction: bool) -> object:
    return float(cell) if fraction and isinstance(cell, int) else cell


def begin(raw: Raw) -> None:
    """Open a transaction."""
    cast("Db2Connection", raw).begin()
