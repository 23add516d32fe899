"""Oracle's words, as H2 says them, and its driver's ways. Where H2 has no word, what is meant is done another way: an
index over expressions is one over columns that are worked out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tests import h2
from tests.h2 import Connection, Memory, Refused, kept

_NAME: Final = r'"[^"]+"'
_QUOTED: Final = re.compile(r"(\"[^\"]*\"|'[^']*')")
_UNKNOWN: Final = re.compile(
    r"\b(LIMIT|RETURNING|BOOLEAN|TEXT|IF EXISTS|ILIKE|TRUE|FALSE|ADD COLUMN|DOUBLE PRECISION)\b"
    r"|\bVARCHAR\(|\) AS \w+\b *$"
)
_LIKE: Final = re.compile(r"LIKE :(\d+) ESCAPE '\|'")
_REGEX: Final = re.compile(r"REGEXP_LIKE\([^:]*:(\d+), 'cn'\)")
_WORDS: Final = (
    (r"VARCHAR2\((\d+) CHAR\)", lambda found: f"VARCHAR({2 * int(found[1])})"),
    (r"\bRAW\(64\)", "VARBINARY(64)"),
    (r"\bNUMBER\(1\)", "TINYINT"),
    (r"\bNUMBER\(19\)", "BIGINT"),
    (r"\bBINARY_DOUBLE\b", "DOUBLE PRECISION"),
    (r" PURGE$", ""),
    (rf"MODIFY ({_NAME}) NOT NULL$", r"ALTER COLUMN \1 SET NOT NULL"),
    (rf"MODIFY ({_NAME}) NULL$", r"ALTER COLUMN \1 SET NULL"),
    (r"CHR\(0\)", f"'{kept(chr(0))}'"),
)
_CATALOG: Final = {
    "USER_TAB_COLUMNS": (
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, CASE c.IS_NULLABLE WHEN 'NO' THEN 1 ELSE 0 END"
        " FROM INFORMATION_SCHEMA.COLUMNS c WHERE c.TABLE_SCHEMA = 'PUBLIC' AND c.IS_GENERATED = 'NEVER'"
    ),
    "USER_INDEXES": "SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = 'PUBLIC'",
}
_CREATE_INDEX: Final = re.compile(rf"CREATE (UNIQUE )?INDEX ({_NAME}) ON ({_NAME}) \((.*)\)$", re.DOTALL)
_CASE: Final = re.compile(r"CASE WHEN (.*?) THEN (.*?) END(?:, |$)")
_DROP_INDEX: Final = re.compile(rf"DROP INDEX ({_NAME})$")
_RENAME_INDEX: Final = re.compile(rf"ALTER INDEX ({_NAME}) RENAME TO ({_NAME})$")
_RENAME: Final = re.compile(rf"ALTER TABLE ({_NAME}) RENAME TO ({_NAME})$")
_DROP_TABLE: Final = re.compile(rf"DROP TABLE ({_NAME}) PURGE$")
_DROP_COLUMN: Final = re.compile(rf"ALTER TABLE ({_NAME}) DROP COLUMN ({_NAME})$")
_LOCK: Final = re.compile(r"SELECT SYS\.DBMS_LOCK\.(?:REQUEST\((\d+), 6, (\d+)\)|RELEASE\((\d+)\)) FROM DUAL$")


class DatabaseError(Exception):
    """As the driver's: its only argument tells."""


class Told:
    """What its argument is."""

    def __init__(self, code: int, text: str) -> None:
        self.full_code = f"ORA-{code:05}"
        self._text = f"{self.full_code}: {text}"

    def __str__(self) -> str:
        return self._text


class Words:
    """Implements `tests.h2.Interpreter`."""

    mode = "Oracle"
    autocommit = False

    def __init__(self, name: str) -> None:
        self._name = name

    def turned(self, text: str, memory: Memory) -> Iterator[str]:
        """A statement in H2's words."""
        if found := _CREATE_INDEX.match(text):
            yield from _index(found, memory)
        elif found := _DROP_INDEX.match(text):
            yield text
            yield from _gone(memory, found[1])
        elif found := _DROP_COLUMN.match(text):
            for index, (table, _, told) in list(memory.indexes.items()):
                if table == found[1] and found[2] in told:
                    yield f"DROP INDEX IF EXISTS {index}"
                    yield from _gone(memory, index)
            yield text
        else:
            _remember(text, memory)
            yield _plain(text)

    def arguments(self, text: str, arguments: Sequence[object]) -> Sequence[object]:
        """What the statement takes, texts as they are kept."""
        likes, expressions = _patterns(text)
        return [_argument(each, place in likes, place in expressions) for place, each in enumerate(arguments, 1)]

    def error(self, refused: Refused) -> Exception:
        """As the driver raises it."""
        code, text = _meaning(refused)
        return DatabaseError(Told(code, text))

    def answer(self, text: str, connection: Connection) -> list[tuple[object, ...]] | None:
        """What is told without asking H2."""
        if found := _LOCK.match(text):
            if found[3]:
                connection.unlock(f"{self._name}/{found[3]}")
                return [(0,)]
            return [(0 if connection.lock(f"{self._name}/{found[1]}", int(found[2])) else 1,)]
        if text == "SET TRANSACTION READ ONLY":
            connection.pin()
            return []
        if text.startswith("ALTER SESSION SET "):
            return []
        if "PRODUCT_COMPONENT_VERSION" in text:
            return [("19.3.0.0.0",)]
        if "NLS_DATABASE_PARAMETERS" in text:
            return [("AL32UTF8",)]
        if "SYS_CONTEXT" in text:
            return [(f"oracle/{self._name}",)]
        return None


def _remember(text: str, memory: Memory) -> None:
    """Where the columns of indexes are from now on."""
    if found := _RENAME_INDEX.match(text):
        if found[1] in memory.indexes:
            memory.indexes[found[2]] = memory.indexes.pop(found[1])
    elif found := _RENAME.match(text):
        for index, (table, columns, told) in memory.indexes.items():
            if table == found[1]:
                memory.indexes[index] = (found[2], columns, told)
    elif found := _DROP_TABLE.match(text):
        for index in [index for index, (table, _, _) in memory.indexes.items() if table == found[1]]:
            del memory.indexes[index]


@cache
def _patterns(text: str) -> tuple[frozenset[int], frozenset[int]]:
    likes = frozenset(int(found) for found in _LIKE.findall(text))
    return likes, frozenset(int(found) for found in _REGEX.findall(text))


@cache
def _plain(text: str) -> str:
    for word, query in _CATALOG.items():
        if word in text:
            return query
    if unknown := _UNKNOWN.search(_QUOTED.sub("", text)):
        raise ValueError(f"Oracle does not know {unknown[0]!r}: {text}")
    parts = _QUOTED.split(text)
    parts[::2] = [re.sub(r":(\d+)", r"?\1", part) for part in parts[::2]]
    said = "".join(parts)
    for word, other in _WORDS:
        said = re.sub(word, other, said)
    return said


def _argument(value: object, like: bool, expression: bool) -> object:
    if not isinstance(value, str):
        return value
    return _like(value) if like else _expression(value) if expression else kept(value)


def _like(pattern: str) -> str:
    """Any one letter is two units."""
    parts = re.findall(r"\|.|.", pattern, re.DOTALL)
    return "".join({"%": "%", "_": "__"}.get(part) or kept(part[-1]) for part in parts)


def _expression(pattern: str) -> str:
    """In Java's language, over pairs of units."""
    found: list[str] = []
    for part in re.findall(r"\[[^\]]+\]|\\.|\.\*|.", pattern, re.DOTALL):
        match part:
            case "^":
                found.append(r"\A")
            case "$":
                found.append(r"\z")
            case ".*":
                found.append("(?:..)*")
            case ".":
                found.append("(?:..)")
            case _ if part.startswith("["):
                found.append(f"(?:{'|'.join(map(kept, part[1:-1]))})")
            case _:
                found.append(kept(part[-1]))
    return "".join(found)


def _index(found: re.Match[str], memory: Memory) -> Iterator[str]:
    unique, name, table, terms = found[1] or "", found[2], found[3], found[4]
    if "CASE WHEN" not in terms:
        plain = re.sub(rf"SUBSTR\(({_NAME}), 1, 400\)", r"\1", terms)
        yield f"CREATE {unique}INDEX {name} ON {table} ({plain.removesuffix(', 0')})"
        return
    columns: list[str] = []
    for number, (condition, value) in enumerate(_CASE.findall(terms), 1):
        plain = re.sub(rf"STANDARD_HASH\(({_NAME}), 'SHA256'\)", r"\1", value)
        columns.append(f'"{name[1:-1]}#{number}"')
        worked_out = f"CASE WHEN {condition} THEN CAST({plain} AS VARCHAR(8000)) END"
        yield f"ALTER TABLE {table} ADD COLUMN {columns[-1]} VARCHAR(8000) GENERATED ALWAYS AS ({worked_out})"
    yield f"CREATE UNIQUE INDEX {name} ON {table} ({', '.join(columns)})"
    memory.indexes[name] = (table, columns, terms)


def _gone(memory: Memory, index: str) -> Iterator[str]:
    table, columns, _ = memory.indexes.pop(index, ("", [], ""))
    for column in columns:
        yield f"ALTER TABLE {table} DROP COLUMN {column}"


_CODES: Final = {
    42101: 955,
    42102: 942,
    42103: 942,
    42104: 942,
    42111: 955,
    42112: 1418,
    42121: 957,
    42122: 904,
    57014: 1013,
    50200: 30006,
    40001: 60,
    90007: 1012,
    90121: 1012,
}


def _meaning(refused: Refused) -> tuple[int, str]:
    text = refused.text
    if refused.code == 23505 and (found := re.search(r'PUBLIC\.(?:""|")?(.+?)"* ON ', text)):
        return 1, f"unique constraint (SCOTT.{re.sub('_INDEX_[0-9A-F]+$', '', found[1])}) violated"
    if refused.code == 23502 and (found := re.search(r'column "(.+?)"', text)):
        return 1400, f'cannot insert NULL into ("SCOTT"."T"."{found[1]}")'
    if refused.code == 22001 and (found := re.search(r'column "(?:"")?(.+?)(?:"")? CHAR', text)):
        return 12899, f'value too large for column "SCOTT"."T"."{found[1]}" (actual: 1, maximum: 1)'
    return _CODES.get(refused.code, 600), text


def uri(folder: Path) -> str:
    """The database that belongs to this folder; the driver's place is taken."""
    h2.stand_in(
        "oracledb",
        Error=DatabaseError,
        DB_TYPE_CLOB=object(),
        DB_TYPE_LONG=object(),
        DB_TYPE_BINARY_DOUBLE=object(),
        connect=lambda **told: Connection(Words(str(told["service_name"])), str(told["service_name"])),
    )
    return f"oracle://scott:tiger@127.0.0.1/{h2.name_of(folder)}"
