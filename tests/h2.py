"""H2, which runs the SQL of databases that cannot be had here: a driver of Python's DB-API in place of the vendor's, in
the process of the tests. An interpreter for each vendor turns its words into H2's.

H2 compares texts by 16-bit units. Each letter is kept as two of them that sort as the letter does, so that texts are
ordered by code point, and any one letter is as long as any other, as the vendors have it.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

JAR: Final = Path("/usr/share/java/h2.jar")
_HIGH, _LOW = 0x4000, 0x4200
_UNITS: Final = re.compile(f"(?:[{chr(_HIGH)}-{chr(_HIGH + 0x10F)}][{chr(_LOW)}-{chr(_LOW + 0xFFF)}])+")
_LOOK: Final = 0.01


def missing() -> str:
    """Why H2 cannot be run here; empty if it can."""
    if not JAR.exists():
        return f"{JAR} is not there: apt-get install libh2-java"
    try:
        _java()
    except (ImportError, OSError, RuntimeError, ValueError) as problem:
        return f"no Java can be started in this process: {problem}"
    return ""


def kept(text: str) -> str:
    """As H2 is given it."""
    return "".join(chr(_HIGH + (ord(letter) >> 12)) + chr(_LOW + (ord(letter) & 0xFFF)) for letter in text)


def told(text: str) -> str:
    """As it was; names of the catalog stand as they are."""
    if not _UNITS.fullmatch(text):
        return text
    pairs = zip(text[::2], text[1::2], strict=True)
    return "".join(chr((ord(high) - _HIGH) << 12 | (ord(low) - _LOW)) for high, low in pairs)


class Refused(Exception):
    """An error of H2, before it is told as the vendor tells it."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class Interpreter(Protocol):
    """What differs between vendors."""

    mode: str
    """H2's name for it."""
    autocommit: bool

    def turned(self, text: str, memory: Memory) -> Iterator[str]:
        """A statement in H2's words. Raises `ValueError` for one that the vendor does not know."""
        ...

    def arguments(self, text: str, arguments: Sequence[object]) -> Sequence[object]:
        """What the statement takes, texts as they are kept."""
        ...

    def error(self, refused: Refused) -> Exception:
        """As the vendor's driver raises it."""
        ...

    def answer(self, text: str, connection: Connection) -> list[tuple[object, ...]] | None:
        """What is told without asking H2."""
        ...


class Memory:
    """What is known of one database: the columns that were added for an index, by its name, with their table."""

    def __init__(self) -> None:
        self.indexes: dict[str, tuple[str, list[str], str]] = {}
        """The table, the columns, and what stands in them."""


_memories: Final[dict[str, Memory]] = {}
_locks: Final[dict[str, Connection]] = {}
_shared: Final[dict[str, set[Connection]]] = {}
"""Who reads, by the name of a lock that another one has alone."""
_guard: Final = threading.Lock()


@cache
def _java() -> Any:
    import jpype
    import jpype.config

    if not jpype.isJVMStarted():
        jpype.config.onexit = False
        # There is one machine for all: HSQLDB's driver has to be in it, too.
        drivers = [str(jar) for jar in (JAR.with_name("hsqldb.jar"),) if jar.exists()]
        jpype.startJVM("-Xrs", "-XX:+UseSerialGC", classpath=drivers, convertStrings=True)
    loader = jpype.JClass("java.net.URLClassLoader")
    url = jpype.JClass("java.io.File")(str(JAR)).toURI().toURL()
    return jpype.JClass("org.h2.Driver", loader=loader([url]))()


class Cursor:
    """One statement under way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[object, ...]] = []
        self.rowcount = -1

    def cancel(self) -> None:
        """From another thread."""
        self._connection.cancel()

    def setinputsizes(self, *kinds: object) -> None:
        """H2 asks nobody."""

    def setquerytimeout(self, seconds: int) -> None:
        """How long a statement may take."""
        self._connection.timeout = seconds

    def execute(self, text: str, arguments: Sequence[object] = ()) -> None:
        """Run a statement."""
        self._rows, self.rowcount = self._connection.executed(text, [arguments])

    def executemany(self, text: str, lines: Sequence[Sequence[object]]) -> None:
        """Run a statement for each line."""
        self._rows, self.rowcount = self._connection.executed(text, lines)

    def fetchall(self) -> list[tuple[object, ...]]:
        """All rows of the answer."""
        return self._rows

    def nextset(self) -> bool:
        """Whether there is a further answer."""
        return False

    def close(self) -> None:
        """Forget the answer."""
        self._rows = []


class Connection:
    """As a driver has it, over Java's."""

    call_timeout = 0
    timeout = 0
    outputtypehandler: object = None

    def __init__(self, interpreter: Interpreter, name: str) -> None:
        import jpype

        self._jpype = jpype
        self._interpreter = interpreter
        self.memory = _memories.setdefault(name, Memory())
        url = f"jdbc:h2:mem:{name};MODE={interpreter.mode};DB_CLOSE_DELAY=-1;LOCK_TIMEOUT=5000"
        self._java = _java().connect(url, jpype.JClass("java.util.Properties")())
        self.java_autocommit(interpreter.autocommit)
        self._statement: Any = None
        self.pinned = False
        self.reads_snapshots = False

    def java_autocommit(self, on: bool) -> None:
        """Whether each statement is a transaction."""
        self._java.setAutoCommit(on)

    def cursor(self) -> Cursor:
        """For one statement."""
        return Cursor(self)

    def commit(self) -> None:
        """End the transaction."""
        self._ended(self._java.commit)

    def rollback(self) -> None:
        """Undo it."""
        self._ended(self._java.rollback)

    def cancel(self) -> None:
        """From another thread, end what it does, and itself with it: the vendors' connections would be closed."""
        statement = self._statement
        if statement is not None:
            statement.cancel()
        threading.Thread(target=self.close, daemon=True).start()

    def close(self) -> None:
        """Say goodbye."""
        self.unlock_all()
        self._java.close()

    def pin(self) -> None:
        """Look at one moment from now on, until the transaction ends."""
        self.pinned = True
        self._run("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SNAPSHOT")
        self._run("SELECT 1")

    def lock(self, name: str, seconds: float) -> bool:
        """Take a lock of the session, or not."""
        deadline = time.monotonic() + seconds
        while True:
            with _guard:
                if _locks.setdefault(name, self) is self:
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)

    def unlock(self, name: str) -> None:
        """Give it back."""
        with _guard:
            _locks.pop(name, None)

    def lock_table(self, name: str, seconds: float, *, alone: bool) -> bool:
        """Take a lock until the end of the transaction, alone or with others, or not."""
        deadline = time.monotonic() + seconds
        while True:
            with _guard:
                readers = _shared.setdefault(name, set())
                if _locks.get(name, self) is self and (not alone or not readers - {self}):
                    if alone:
                        _locks[name] = self
                    else:
                        readers.add(self)
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK)

    def unlock_all(self) -> None:
        """Give all of them back."""
        with _guard:
            for name in [name for name, owner in _locks.items() if owner is self]:
                del _locks[name]
            for readers in _shared.values():
                readers.discard(self)

    def executed(self, text: str, lines: Sequence[Sequence[object]]) -> tuple[list[tuple[object, ...]], int]:
        """The rows of an answer, and how many were touched."""
        answer = self._interpreter.answer(text, self)
        if answer is not None:
            return answer, len(answer)
        rows: list[tuple[object, ...]] = []
        touched = 0
        try:
            for each in self._interpreter.turned(text, self.memory):
                for line in lines:
                    found, count = self._prepared(each, self._interpreter.arguments(text, line))
                    rows, touched = found, touched + count
        except self._jpype.JException as error:
            raise self._interpreter.error(_refused(error)) from None
        return rows, touched

    def _ended(self, end: Callable[[], None]) -> None:
        try:
            end()
            if self.pinned:
                self.pinned = False
                self._run("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED")
        except self._jpype.JException as error:
            raise self._interpreter.error(_refused(error)) from None

    def _run(self, text: str) -> None:
        statement = self._java.createStatement()
        statement.execute(text)
        statement.close()

    def _prepared(self, text: str, arguments: Sequence[object]) -> tuple[list[tuple[object, ...]], int]:
        statement = self._java.prepareStatement(text)
        seconds = self.timeout or -(-self.call_timeout // 1000)
        if seconds:
            statement.setQueryTimeout(seconds)
        self._statement = statement
        try:
            for place, argument in enumerate(arguments, 1):
                self._bind(statement, place, argument)
            if statement.execute():
                return _read(statement.getResultSet()), 0
            return [], int(statement.getUpdateCount())
        finally:
            self._statement = None
            statement.close()

    def _bind(self, statement: Any, place: int, argument: object) -> None:
        if argument is None:
            statement.setNull(place, 0)
        elif isinstance(argument, list):
            statement.setObject(place, self._jpype.JArray(self._jpype.java.lang.Object)(argument))
        elif isinstance(argument, str):
            statement.setString(place, argument)
        elif isinstance(argument, float):
            statement.setDouble(place, argument)
        elif isinstance(argument, int):
            statement.setLong(place, int(argument))
        else:
            assert isinstance(argument, bytes)
            statement.setBytes(place, self._jpype.JArray(self._jpype.JByte)(argument))


def _refused(error: Any) -> Refused:
    code = error.getErrorCode() if hasattr(error, "getErrorCode") else 0
    return Refused(str(error.getMessage()), int(code))


_WHOLE: Final = frozenset({4, 5, -5, -6})
_BYTES: Final = frozenset({-2, -3, -4, 2004})
_NUMBERS: Final = frozenset({2, 3, 6, 7, 8})


def _read(result: Any) -> list[tuple[object, ...]]:
    about = result.getMetaData()
    kinds = [int(about.getColumnType(place)) for place in range(1, about.getColumnCount() + 1)]
    rows: list[tuple[object, ...]] = []
    while result.next():
        rows.append(tuple([_cell(result, place, kind) for place, kind in enumerate(kinds, 1)]))
    return rows


def _cell(result: Any, place: int, kind: int) -> object:
    found: object
    if kind in _BYTES:
        read = result.getBytes(place)
        return None if read is None else bytes(read)
    if kind in _WHOLE:
        found = int(result.getLong(place))
    elif kind in _NUMBERS:
        found = float(result.getDouble(place))
    else:
        text = result.getString(place)
        return None if text is None else told(str(text))
    return None if result.wasNull() else found


def asked(name: str, question: str) -> list[tuple[object, ...]]:
    """What H2 itself tells of a database that was opened before."""
    connection = _java().connect(f"jdbc:h2:mem:{name};IFEXISTS=TRUE", None)
    try:
        return _read(connection.createStatement().executeQuery(question))
    finally:
        connection.close()


def stand_in(module: str, **members: object) -> None:
    """Put a driver in the vendor's place, for this process."""
    driver = ModuleType(module)
    for name, member in members.items():
        setattr(driver, name, member)
    sys.modules[module] = driver


def name_of(folder: Path) -> str:
    """The database that belongs to a folder."""
    return re.sub(r"\W", "_", str(folder))
