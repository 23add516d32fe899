"""HANA's words, as H2 says them, and its driver's ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from octonet.dialects.engine.hana_patterns import ONE
from tests import h2
from tests.h2 import Connection, Memory, Refused, kept

_NAME: Final = r'"[^"]+"'
_PATH: Final = rf"(?:{_NAME}|\w+)(?:\.{_NAME})?"
_QUOTED: Final = re.compile(r"(\"[^\"]*\"|'[^']*'|/\*.*?\*/)", re.DOTALL)
_UNKNOWN: Final = re.compile(
    r"\b(RETURNING|BOOLEAN|TEXT|IF EXISTS|ILIKE|TRUE|FALSE|(?:ADD|DROP|ALTER) COLUMN|RENAME TO|FETCH|TOP|CLOB|VARCHAR"
    r"|DOUBLE PRECISION)\b|CREATE TABLE|ADD [^(]|\bLIMIT [^?]"
)
_WORDS: Final = (
    (r"CREATE COLUMN TABLE", "CREATE TABLE"),
    (r"\bNVARCHAR\((\d+)\)", lambda found: f"VARCHAR({2 * int(found[1])})"),
    (r"\bNCLOB\b", "CLOB"),
    (r"\bDOUBLE\b", "DOUBLE PRECISION"),
    (r" FROM DUMMY$", ""),
    (rf"^(ALTER TABLE {_NAME}) ADD \((.*)\)$", r"\1 ADD COLUMN \2"),
    (rf"^(ALTER TABLE {_NAME}) DROP \(({_NAME})\)$", r"\1 DROP COLUMN \2"),
    (rf"^(ALTER TABLE {_NAME}) ALTER \(({_NAME}) .* NOT NULL\)$", r"\1 ALTER COLUMN \2 SET NOT NULL"),
    (rf"^(ALTER TABLE {_NAME}) ALTER \(({_NAME}) .* NULL\)$", r"\1 ALTER COLUMN \2 SET NULL"),
    (rf"^RENAME TABLE ({_NAME}) TO ({_NAME})$", r"ALTER TABLE \1 RENAME TO \2"),
    (rf"^RENAME COLUMN ({_NAME})\.({_NAME}) TO ({_NAME})$", r"ALTER TABLE \1 ALTER COLUMN \2 RENAME TO \3"),
    (rf"^RENAME INDEX ({_NAME}) TO ({_NAME})$", r"ALTER INDEX \1 RENAME TO \2"),
    (
        rf"({_PATH}) (NOT )?LIKE_REGEXPR \?",
        lambda found: f"{found[2] or ''}REGEXP_LIKE({found[1]}, ?)",
    ),
)
_CATALOG: Final = {
    "SYS.TABLE_COLUMNS": (
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, CASE c.DATA_TYPE WHEN 'CHARACTER VARYING' THEN 'NVARCHAR('"
        " || c.CHARACTER_MAXIMUM_LENGTH / 2 || ')' WHEN 'CHARACTER LARGE OBJECT' THEN 'NCLOB'"
        " WHEN 'DOUBLE PRECISION' THEN 'DOUBLE' ELSE c.DATA_TYPE END, CASE c.IS_NULLABLE WHEN 'NO' THEN 1 ELSE 0 END"
        " FROM INFORMATION_SCHEMA.COLUMNS c WHERE c.TABLE_SCHEMA = 'PUBLIC' AND c.IS_GENERATED = 'NEVER'"
        " AND c.TABLE_NAME NOT LIKE '%octonet_turn'"
    ),
    "SYS.INDEXES": "SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = 'PUBLIC'",
}
_LOCK: Final = re.compile(r'LOCK TABLE "([^"]+)" IN EXCLUSIVE MODE$')
_PATIENCE: Final = re.compile(r"SET TRANSACTION LOCK WAIT TIMEOUT (\d+)$")
_TOLD: Final[dict[str, list[tuple[object, ...]]]] = {
    "SELECT VERSION FROM": [("2.00.059.00.1623763323",)],
    "SELECT CASE WHEN '\U0001f600' LIKE_REGEXPR": [("counted",)],
}


class Error(Exception):
    """As the driver's: the number, and the text."""

    def __init__(self, errorcode: int, errortext: str) -> None:
        super().__init__(errorcode, errortext)
        self.errorcode = errorcode
        self.errortext = errortext


class Words:
    """Implements `tests.h2.Interpreter`."""

    mode = "REGULAR"
    autocommit = True

    def __init__(self, name: str) -> None:
        self._name = name
        self._patience = 0.0

    def turned(self, text: str, memory: Memory) -> Iterator[str]:
        """A statement in H2's words."""
        yield _plain(text)

    def arguments(self, text: str, arguments: Sequence[object]) -> Sequence[object]:
        """What the statement takes, texts as they are kept."""
        likes, expressions = _places(text)
        return [_argument(each, place in likes, place in expressions) for place, each in enumerate(arguments)]

    def error(self, refused: Refused) -> Exception:
        """As the driver raises it."""
        return Error(*_meaning(refused))

    def answer(self, text: str, connection: Connection) -> list[tuple[object, ...]] | None:
        """What is told without asking H2."""
        if found := _LOCK.match(text):
            if not connection.lock_table(f"{self._name}/{found[1]}", self._patience, alone=True):
                raise Error(131, "transaction rolled back by lock wait timeout")
            return []
        if found := _PATIENCE.match(text):
            self._patience = int(found[1]) / 1000
            return []
        if text == "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ":
            connection.pin()
            return []
        if "SYSTEM_ID" in text:
            return [(f"hana/{self._name}",)]
        return next((told for words, told in _TOLD.items() if text.startswith(words)), None)


@cache
def _places(text: str) -> tuple[frozenset[int], frozenset[int]]:
    """Which arguments are patterns of LIKE, and which expressions."""
    bare = _QUOTED.sub(lambda found: "x" * len(found[0]), text)
    before = [bare[: found.start()] for found in re.finditer(r"\?", bare)]
    likes = frozenset(place for place, words in enumerate(before) if words.endswith("LIKE "))
    return likes, frozenset(place for place, words in enumerate(before) if words.endswith("LIKE_REGEXPR "))


@cache
def _plain(text: str) -> str:
    for word, query in _CATALOG.items():
        if word in text:
            return query
    if unknown := _UNKNOWN.search(_QUOTED.sub("", text)):
        raise ValueError(f"HANA does not know {unknown[0]!r}: {text}")
    for word, other in _WORDS:
        text = re.sub(word, other, text)
    return text


def _argument(value: object, like: bool, expression: bool) -> object:
    if not isinstance(value, str):
        return value
    return _like(value) if like else _expression(value) if expression else kept(value)


def _like(pattern: str) -> str:
    """Any one letter would be two units: no pattern counts letters."""
    parts = re.findall(r"\|.|.", pattern, re.DOTALL)
    assert "_" not in parts
    return "".join("%" if part == "%" else kept(part[-1]) for part in parts)


_MARK: Final = kept("\ud7ff")
_PARTS: Final = {
    r"(?s)\A": r"\A",
    r"\z": r"\z",
    ONE: f"(?:(?!{_MARK})..|{_MARK}..)",
    "(?>.*?": "(?>(?:..)*?",
    ".*": "(?:..)*",
    "(?:": "(?:",
    "|": "|",
    ")": ")",
}
_PART: Final = re.compile("|".join([*map(re.escape, _PARTS), r"\\.", "."]), re.DOTALL)


def _expression(pattern: str) -> str:
    """In Java's language, over pairs of units."""
    return "".join(_PARTS.get(part) or kept(part[-1]) for part in _PART.findall(pattern))


_CODES: Final = {
    42101: 288,
    42102: 259,
    42103: 259,
    42104: 259,
    42111: 289,
    42112: 261,
    42121: 272,
    42122: 260,
    57014: 613,
    50200: 131,
    40001: 133,
    90007: -10807,
    90121: -10807,
}


def _meaning(refused: Refused) -> tuple[int, str]:
    text = refused.text
    if refused.code == 23505 and (found := re.search(r'PUBLIC\.(?:""|")?(.+?)"* ON ', text)):
        return 301, f"unique constraint violated: Table(T), Index({re.sub('_INDEX_[0-9A-F]+$', '', found[1])})"
    if refused.code == 23502 and (found := re.search(r'column "(.+?)"', text)):
        return 287, f'cannot insert NULL or update to NULL: Not nullable "{found[1]}" column'
    if refused.code == 22001 and (found := re.search(r'column "(?:"")?(.+?)(?:"")? CHAR', text)):
        return 274, f"inserted value too large for column: Failed in \"{found[1]}\" column with the value 'x'"
    return _CODES.get(refused.code, 2), text


class Driven(Connection):
    """As the driver's: a lock of a table ends with its transaction."""

    def setautocommit(self, on: bool) -> None:
        """Whether each statement is a transaction."""
        self.java_autocommit(on)

    def getautocommit(self) -> bool:
        """Whether it is."""
        return bool(self._java.getAutoCommit())

    def commit(self) -> None:
        """End the transaction."""
        super().commit()
        self.unlock_all()

    def rollback(self) -> None:
        """Undo it."""
        super().rollback()
        self.unlock_all()


def uri(folder: Path) -> str:
    """The database that belongs to this folder; the driver's place is taken."""

    def connect(*, databaseName: str, autocommit: bool, reconnect: str, **_: object) -> Driven:
        assert autocommit
        assert reconnect == "FALSE"
        return Driven(Words(databaseName), databaseName)

    h2.stand_in("hdbcli.dbapi", Error=Error, connect=connect)
    return f"hana://system:manager@127.0.0.1/{h2.name_of(folder)}"
