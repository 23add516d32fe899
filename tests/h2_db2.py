"""Db2's words, as H2 says them, and its driver's ways. A lock of a table is kept here, for H2 has none that readers
share; an index over expressions is one over columns that are worked out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from octonet.dialects.engine.db2_connection import MOST_VALUES
from tests import h2
from tests.h2 import Memory, Refused, kept

_NAME: Final = r'"[^"]+"'
_QUOTED: Final = re.compile(r"(\"[^\"]*\"|'[^']*')")
_UNKNOWN: Final = re.compile(
    r"\b(RETURNING|TEXT|IF EXISTS|IF NOT EXISTS|ILIKE|TRUE|FALSE|TOP|VARCHAR2|INCLUDE|MODIFY|LIMIT)\b"
    r"|VARCHAR\(\d+\)(?!\))|DROP COLUMN|ALTER COLUMN|SELECT NULL\b|, NULL AS|FETCH FIRST \?"
)
_LIKE: Final = re.compile(r"LIKE \? ESCAPE '\|'")
_WORDS: Final = (
    # What is asked for in H2's words is longer.
    (r"CAST\(\? AS VARCHAR\(8000 OCTETS\)\)", lambda _: "?"),
    (r"VARCHAR\((\d+) OCTETS\)", lambda found: f"VARCHAR({2 * int(found[1])})"),
    (r"CLOB\(\w+ OCTETS\)", lambda _: "CLOB"),
    (rf"^RENAME TABLE ({_NAME}) TO ({_NAME})$", lambda found: f"ALTER TABLE {found[1]} RENAME TO {found[2]}"),
    (rf"RENAME COLUMN ({_NAME}) TO", lambda found: f"ALTER COLUMN {found[1]} RENAME TO"),
    (r" ON ROLLBACK RETAIN CURSORS$", lambda _: ""),
)
_CATALOG: Final = {
    "FROM SYSCAT.COLUMNS AS c": (
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, CASE c.DATA_TYPE WHEN 'CHARACTER VARYING' THEN 'VARCHAR('"
        " || c.CHARACTER_MAXIMUM_LENGTH / 2 || ' OCTETS)' WHEN 'CHARACTER LARGE OBJECT' THEN 'CLOB(256M OCTETS)'"
        " WHEN 'DOUBLE PRECISION' THEN 'DOUBLE' ELSE c.DATA_TYPE END,"
        " CASE c.IS_NULLABLE WHEN 'NO' THEN 1 ELSE 0 END FROM INFORMATION_SCHEMA.COLUMNS c"
        " WHERE c.TABLE_SCHEMA = 'PUBLIC' AND c.IS_GENERATED = 'NEVER' AND c.TABLE_NAME NOT LIKE '%octonet_turn'"
    ),
    "SELECT INDNAME FROM SYSCAT.INDEXES WHERE INDSCHEMA": (
        "SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = 'PUBLIC'"
    ),
}
_EXPLAINS: Final = "SYSCAT."
_CREATE_INDEX: Final = re.compile(rf"CREATE (UNIQUE )?INDEX ({_NAME}) ON ({_NAME}) \((.*)\)( EXCLUDE NULL KEYS)?$")
_CASE: Final = re.compile(r"CASE WHEN (.*?) THEN (.*?) END(?:, |$)")
_DROP_INDEX: Final = re.compile(rf"DROP INDEX ({_NAME})$")
_DROP_TABLE: Final = re.compile(rf"DROP TABLE ({_NAME})$")
_LOCK: Final = re.compile(r'LOCK TABLE "([^"]+)" IN (SHARE|EXCLUSIVE) MODE$')
_PATIENCE: Final = re.compile(r"SET CURRENT LOCK TIMEOUT (\d+)$")
SETTINGS: Final = {
    "codeset": "UTF-8",
    "db_collname": "IDENTITY",
    "pagesize": "32768",
    "varchar2_compat": "OFF",
    "extended_row_sz": "ENABLE",
}
_TIMEOUT: Final = object()


class Error(Exception):
    """As the driver's."""

    def __init__(self, text: str, code: int, state: str) -> None:
        super().__init__(f"ibm_db_dbi::Error: {text} SQLSTATE={state} SQLCODE={code}")


class Words:
    """Implements `tests.h2.Interpreter`."""

    mode = "DB2"
    autocommit = True

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: list[str] = []
        """Names that were told by their numbers."""
        self._patience = 5

    def turned(self, text: str, memory: Memory) -> Iterator[str]:
        """A statement in H2's words."""
        if found := _CREATE_INDEX.match(text):
            yield from _index(found, memory)
        elif found := _DROP_INDEX.match(text):
            yield text
            table, columns, _ = memory.indexes.pop(found[1], ("", [], ""))
            for column in columns:
                yield f"ALTER TABLE {table} DROP COLUMN {column}"
        else:
            if found := _DROP_TABLE.match(text):
                for index in [index for index, (table, _, _) in memory.indexes.items() if table == found[1]]:
                    del memory.indexes[index]
            yield _plain(text)

    def arguments(self, text: str, arguments: Sequence[object]) -> Sequence[object]:
        """What the statement takes, texts as they are kept."""
        assert len(arguments) <= MOST_VALUES
        likes, expressions = _patterns(text)
        found: list[object] = []
        for place, each in enumerate(arguments):
            turn = _like if place in likes else _expression if place in expressions else kept
            found.append(turn(each) if isinstance(each, str) else each)
        return found

    def error(self, refused: Refused) -> Exception:
        """As the driver raises it: an index and a column by their numbers."""
        text = refused.text
        if refused.code == 23505 and (found := re.search(r'PUBLIC\.(?:""|")?(.+?)"* ON ', text)):
            number = self._number(re.sub("_INDEX_[0-9A-F]+$", "", found[1]))
            told = f'SQL0803N  … because the unique index identified by "{number}" constrains table "DB2INST1.T" …'
            return Error(told, -803, "23505")
        if refused.code == 23502 and (found := re.search(r'column "(.+?)"', text)):
            column = f"TBSPACEID=2, TABLEID=5, COLNO={self._number(found[1])}"
            return Error(f'SQL0407N  Assignment of a NULL value to a NOT NULL column "{column}".', -407, "23502")
        if refused.code == 22001:
            return Error("CLI0109E  String data right truncation.", -99999, "22001")
        code, state = _CODES.get(refused.code, (-901, "58004"))
        return Error(f"SQL{-code:04}N  {text}", code, state)

    def answer(self, text: str, connection: h2.Connection) -> list[tuple[object, ...]] | None:
        """What is told without asking H2."""
        if found := _LOCK.match(text):
            if not connection.lock_table(f"{self._name}/{found[1]}", self._patience, alone=found[2] == "EXCLUSIVE"):
                raise Error('SQL0911N  The transaction has been rolled back.  Reason code "68".', -911, "40001")
            return []
        if found := _PATIENCE.match(text):
            self._patience = int(found[1])
            return []
        if text == "SET CURRENT SCHEMA SESSION_USER":
            return []
        if found := re.search(r"SYSIBMADM\.DBCFG WHERE NAME = '(\w+)'", text):
            return [(SETTINGS[found[1]],)]
        if "ENV_INST_INFO" in text:
            return [("11.5.9.0",)]
        if "CREATE_TIME" in text:
            return [(f"db2/{self._name}",)]
        return None

    def explained(self, text: str, arguments: Sequence[object]) -> list[tuple[object, ...]]:
        """What its catalog tells of a table."""
        table = str(arguments[0])
        if "COLNAME, LENGTH" in text:
            return h2.asked(
                self._name,
                "SELECT COLUMN_NAME, CHARACTER_MAXIMUM_LENGTH / 2 FROM INFORMATION_SCHEMA.COLUMNS"
                f" WHERE TABLE_NAME = '{table}' AND DATA_TYPE = 'CHARACTER VARYING'",
            )
        assert isinstance(arguments[1], int)
        return [(self._told[arguments[1]],)]

    def _number(self, name: str) -> int:
        self._told.append(name)
        return len(self._told) - 1


class Cursor:
    """As the driver's."""

    stmt_handler: object = None

    def __init__(self, connection: h2.Connection, words: Words) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._words = words
        self._text = ""
        self._rows: list[tuple[object, ...]] | None = None

    @property
    def rowcount(self) -> int:
        """Rows touched."""
        return self._cursor.rowcount

    def prepare(self, text: str) -> None:
        """Remember what is to be run."""
        self._text, self.stmt_handler = text, self

    def limit(self, seconds: int) -> None:
        """How long it may take."""
        self._connection.timeout = seconds

    def execute(self, text: None, arguments: Sequence[object] | None) -> None:
        """Run it."""
        if _EXPLAINS in self._text and arguments:
            self._rows = self._words.explained(self._text, arguments)
        else:
            self._cursor.execute(self._text, arguments or ())

    def executemany(self, text: str, lines: Sequence[Sequence[object]]) -> None:
        """Run a statement for each line."""
        self.stmt_handler = self
        for column in zip(*lines, strict=True):
            assert len({type(cell) for cell in column if cell is not None}) <= 1, "the driver wants one type"
        self._cursor.executemany(text, lines)

    def fetchall(self) -> list[tuple[object, ...]]:
        """All rows of the answer."""
        return self._cursor.fetchall() if self._rows is None else self._rows

    def close(self) -> None:
        """Forget the answer."""
        self._cursor.close()


class Connection:
    """As the driver's."""

    def __init__(self, name: str) -> None:
        self._words = Words(name)
        self._h2 = h2.Connection(self._words, name)

    def cursor(self) -> Cursor:
        """For one statement."""
        return Cursor(self._h2, self._words)

    def set_autocommit(self, on: bool) -> None:
        """Whether each statement is a transaction."""
        self._h2.java_autocommit(on)

    def commit(self) -> None:
        """End the transaction."""
        self._h2.commit()
        self._h2.unlock_all()

    def rollback(self) -> None:
        """Undo it."""
        self._h2.rollback()
        self._h2.unlock_all()

    def close(self) -> None:
        """Say goodbye."""
        self._h2.close()


@cache
def _patterns(text: str) -> tuple[frozenset[int], frozenset[int]]:
    """Which arguments are patterns of LIKE, and which expressions."""
    bare = _QUOTED.sub(lambda found: "x" * len(found[0]), text)
    likes, expressions = set(), set()
    for place, found in enumerate(re.finditer(r"\?", bare)):
        before = bare[: found.start()]
        if before.endswith("LIKE "):
            likes.add(place)
        elif re.search(r"REGEXP_LIKE\([^()?]*CAST\($", before):
            expressions.add(place)
    return frozenset(likes), frozenset(expressions)


@cache
def _plain(text: str) -> str:
    for word, query in _CATALOG.items():
        if word in text:
            return query
    if unknown := _UNKNOWN.search(_QUOTED.sub("", text)):
        raise ValueError(f"Db2 does not know {unknown[0]!r}: {text}")
    said = text
    for word, other in _WORDS:
        said = re.sub(word, other, said)
    return said


def _like(pattern: str) -> str:
    """Any one letter is two units."""
    parts = re.findall(r"\|.|.", pattern, re.DOTALL)
    return "".join({"%": "%", "_": "__"}.get(part) or kept(part[-1]) for part in parts)


def _expression(pattern: str) -> str:
    """In Java's language, over pairs of units."""
    found = [r"\A"]
    body = pattern.removeprefix(r"(?s)\A").removesuffix(r"\x{0}\z")
    for part in re.findall(r"\(\?>|\[[^\]]+\]|\\.|\.\*\??|.", body, re.DOTALL):
        match part:
            case ".*" | ".*?":
                found.append(f"(?:..)*{part[2:]}")
            case ".":
                found.append("(?:..)")
            case "(?>" | ")":
                found.append(part)
            case _ if part.startswith("["):
                found.append(f"(?:{'|'.join(map(kept, part[1:-1]))})")
            case _:
                found.append(kept(part[-1]))
    return "".join([*found, kept("\0"), r"\z"])


def _index(found: re.Match[str], memory: Memory) -> Iterator[str]:
    unique, name, table, terms, leaves_out = found.groups()
    if not unique:
        yield f"CREATE INDEX {name} ON {table} ({terms})"
        return
    assert leaves_out, "two nulls would be duplicates"
    if "CASE WHEN" not in terms:
        yield f"CREATE UNIQUE INDEX {name} ON {table} ({terms})"
        return
    columns: list[str] = []
    for number, (condition, value) in enumerate(_CASE.findall(terms), 1):
        plain = re.sub(rf"HASH\(({_NAME}), 2\)", r"\1", value)
        columns.append(f'"{name[1:-1]}#{number}"')
        worked_out = f"CASE WHEN {condition} THEN CAST({plain} AS VARCHAR(8000)) END"
        yield f"ALTER TABLE {table} ADD COLUMN {columns[-1]} VARCHAR(8000) GENERATED ALWAYS AS ({worked_out})"
    yield f"CREATE UNIQUE INDEX {name} ON {table} ({', '.join(columns)})"
    memory.indexes[name] = (table, columns, terms)


_CODES: Final = {
    42101: (-601, "42710"),
    42102: (-204, "42704"),
    42103: (-204, "42704"),
    42104: (-204, "42704"),
    42111: (-601, "42710"),
    42112: (-204, "42704"),
    42121: (-612, "42711"),
    42122: (-206, "42703"),
    50200: (-911, "40001"),
    40001: (-911, "40001"),
    57014: (-952, "57014"),
    90007: (-1224, "55032"),
    90121: (-1224, "55032"),
}


def _set_option(statement: Cursor, options: dict[object, int], of_statement: int) -> None:
    assert of_statement == 0
    statement.limit(options[_TIMEOUT])


def uri(folder: Path) -> str:
    """The database that belongs to this folder; the driver's place is taken."""

    def connect(text: str, *rest: object) -> Connection:
        found = re.search(r"DATABASE=(.*?);", text)
        assert found is not None
        assert rest == ("", "", "", "", {102: 1})
        return Connection(found[1])

    driver = SimpleNamespace(SQL_ATTR_QUERY_TIMEOUT=_TIMEOUT, set_option=_set_option)
    told = {"Error": Error, "SQL_ATTR_AUTOCOMMIT": 102, "SQL_AUTOCOMMIT_ON": 1}
    h2.stand_in("ibm_db_dbi", connect=connect, ibm_db=driver, **told)
    return f"db2://db2inst1:secret@127.0.0.1/{h2.name_of(folder)}"
