"""One connection of HSQLDB's driver, whose every call blocks, for a thread of its own. What is Java's stays here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import jpype

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.hsqldb_errors import JavaFailure, is_gone, is_stale
from octonet.dialects.engine.hsqldb_jvm import java
from octonet.dialects.engine.journal_steps import DEFINES
from octonet.dialects.engine.letters import kept, told
from octonet.dialects.engine.packets import packets

T = TypeVar("T")

BEGIN: Final = "BEGIN"
"""No statement: a transaction that is to be ended by COMMIT or ROLLBACK."""
_STATEMENTS: Final = 128
"""Prepared statements that one connection keeps."""
_LINES: Final = 2000
_LETTERS: Final = 1_000_000
_VARBINARY: Final = frozenset({-2, -3, -4, 2004})
_WHOLE: Final = frozenset({4, 5, -5, -6})
_FRACTIONS: Final = frozenset({2, 3, 6, 7, 8})
_BOOLEAN: Final = 16
"""Numbers of `java.sql.Types`."""

Read = Callable[[Any, int], Cell]


class _Prepared:
    """A prepared statement, and how the columns of its answer are read."""

    def __init__(self, connection: Any, text: str, seconds: int) -> None:
        self.java = connection.prepareStatement(text)
        if seconds:
            self.java.setQueryTimeout(seconds)

    def bind(self, arguments: Sequence[Cell]) -> None:
        """Set the arguments."""
        for place, cell in enumerate(arguments, 1):
            if isinstance(cell, str):
                self.java.setString(place, kept(cell))
            elif cell is None:
                self.java.setNull(place, 0)
            elif isinstance(cell, bool):
                self.java.setBoolean(place, cell)
            elif isinstance(cell, int):
                self.java.setLong(place, cell)
            elif isinstance(cell, float):
                self.java.setDouble(place, cell)
            else:
                assert isinstance(cell, bytes)
                self.java.setBytes(place, jpype.JArray(jpype.JByte)(cell))

    def read(self, result: Any) -> list[Cells]:
        """All rows."""
        rows: list[Cells] = []
        # Asked anew each time: a column may have become another under a statement that goes on.
        about = result.getMetaData()
        readers = [(_reader(int(about.getColumnType(place))), place) for place in range(1, about.getColumnCount() + 1)]
        while result.next():
            rows.append(tuple([read(result, place) for read, place in readers]))
        return rows


class Link:
    """Open from its making to `close` or `cut`. Every call raises `JavaFailure`. `seconds`, unless 0, is how long the
    server works on one statement. `altered` gives another number when tables were altered: what was prepared before is
    not used any more, for the driver would go on to send values of the types that columns had."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        autocommit: bool,
        seconds: int = 0,
        altered: Callable[[], int] = int,
    ) -> None:
        self._autocommit = autocommit
        self._seconds = seconds
        self._altered = altered
        self._seen = 0
        self._prepared: OrderedDict[str, _Prepared] = OrderedDict()
        self.closed = False
        properties = java("java.util.Properties")()
        for name, value in (("user", user), ("password", password)):
            properties.setProperty(name, value)
        self._java = self._done(lambda: java("org.hsqldb.jdbc.JDBCDriver").getConnection(url, properties))
        self._socket = self._done(self._find_socket)
        self._done(lambda: self._java.setAutoCommit(autocommit))

    def version(self) -> str:
        """The server's."""
        return str(self._done(lambda: self._java.getMetaData().getDatabaseProductVersion()))

    def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""

        def ask(statement: _Prepared) -> list[Cells]:
            statement.bind(arguments)
            result = statement.java.executeQuery()
            try:
                return statement.read(result)
            finally:
                result.close()

        return self._asked(text, ask)

    def run(self, text: str, arguments: Sequence[Cell]) -> int:
        """Run a statement; the number of rows it touched."""
        if arguments:
            return self._asked(text, lambda statement: _touched(statement, arguments))
        return int(self._done(lambda: self._plain(text)))

    def many(self, text: str, lines: Sequence[Sequence[Cell]]) -> int:
        """Run a statement for each line; the number of rows touched in all."""
        return sum([self._asked(text, partial(_batch, lines=some)) for some in packets(lines, _LINES, _LETTERS)])

    def close(self) -> None:
        """Say goodbye."""
        self.closed = True
        self._done(self._java.close)

    def cut(self) -> None:
        """End it from any thread, whatever it does: a call that waits for the server returns with a failure."""
        self.closed = True
        if self._socket is not None:
            self._done(self._socket.close)

    def _plain(self, text: str) -> int:
        if text == BEGIN:
            self._java.setAutoCommit(False)
        elif text in ("COMMIT", "ROLLBACK"):
            (self._java.commit if text == "COMMIT" else self._java.rollback)()
            if self._autocommit:
                self._java.setAutoCommit(True)
        else:
            statement = self._java.createStatement()
            try:
                return int(statement.executeUpdate(text))
            finally:
                statement.close()
                if DEFINES.match(text):
                    self._forget()
        return 0

    def _asked(self, text: str, ask: Callable[[_Prepared], T]) -> T:
        """Tables that were changed make statements stale, which are then prepared anew."""
        try:
            return self._done(lambda: ask(self._statement(text)))
        except JavaFailure as failure:
            if not is_stale(failure):
                raise
        self._done(self._forget)
        return self._done(lambda: ask(self._statement(text)))

    def _forget(self) -> None:
        while self._prepared:
            self._prepared.popitem()[1].java.close()

    def _statement(self, text: str) -> _Prepared:
        if (altered := self._altered()) != self._seen:
            self._forget()
            self._seen = altered
        found = self._prepared.get(text)
        if found is not None:
            self._prepared.move_to_end(text)
            return found
        made = self._prepared[text] = _Prepared(self._java, text, self._seconds)
        if len(self._prepared) > _STATEMENTS:
            self._prepared.popitem(last=False)[1].java.close()
        return made

    def _done(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except jpype.JException as error:
            failure = _failure(error)
            if is_gone(failure):
                self.closed = True
            raise failure from None

    def _find_socket(self) -> Any:
        """What the driver has no word for: it ends a connection only between its calls. None where it keeps its socket
        elsewhere; then a call that hangs is left to itself."""
        session = self._java.getSession()
        for field in session.getClass().getDeclaredFields():
            if field.getName() == "socket":
                field.setAccessible(True)
                return field.get(session)
        return None


def _failure(error: Any) -> JavaFailure:
    if isinstance(error, java("java.sql.SQLException")):
        return JavaFailure(str(error.getMessage()), str(error.getSQLState() or ""), int(error.getErrorCode()))
    return JavaFailure(str(error))


def _touched(statement: _Prepared, arguments: Sequence[Cell]) -> int:
    statement.bind(arguments)
    return int(statement.java.executeUpdate())


def _batch(statement: _Prepared, lines: Sequence[Sequence[Cell]]) -> int:
    if len(lines) == 1:
        return _touched(statement, lines[0])
    try:
        for line in lines:
            statement.bind(line)
            statement.java.addBatch()
        return sum(statement.java.executeBatch())
    finally:
        statement.java.clearBatch()


def _reader(kind: int) -> Read:
    if kind in _VARBINARY:
        return _bytes
    if kind in _WHOLE:
        return _whole
    if kind in _FRACTIONS:
        return _fraction
    return _boolean if kind == _BOOLEAN else _text


def _text(result: Any, place: int) -> Cell:
    found = result.getString(place)
    return None if found is None else told(str(found))


def _whole(result: Any, place: int) -> Cell:
    found = int(result.getLong(place))
    return None if found == 0 and result.wasNull() else found


def _fraction(result: Any, place: int) -> Cell:
    found = float(result.getDouble(place))
    return None if found == 0 and result.wasNull() else found


def _boolean(result: Any, place: int) -> Cell:
    found = bool(result.getBoolean(place))
    return None if not found and result.wasNull() else found


def _bytes(result: Any, place: int) -> Cell:
    found = result.getBytes(place)
    return None if found is None else bytes(found)
