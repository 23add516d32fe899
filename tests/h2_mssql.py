"""SQL Server's words, as H2 says them, and its driver's ways. LIKE with brackets is a regular expression, an index over
some rows is one over a column more, and what a procedure does is done here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from octonet.dialects.engine.mssql_patterns import ONE
from tests import h2
from tests.h2 import Connection, Memory, Refused, kept

_NAME: Final = r"\[[^\]]+\]"
_PATH: Final = rf"(?:{_NAME}|\w+)(?:\.{_NAME})?"
_QUOTED: Final = re.compile(r"(\[[^\]]*\]|'[^']*')")
_UNKNOWN: Final = re.compile(
    r"\b(LIMIT|RETURNING|BOOLEAN|TEXT|IF EXISTS|ILIKE|TRUE|FALSE|ADD COLUMN|NULLS|RENAME|VARCHAR2|CLOB)\b"
    r"|(?<!TOP \(\?\) )\bTOP \d|^(?!.*OFFSET).*FETCH",
    re.DOTALL,
)
_LIKE: Final = re.compile(rf"({_PATH}) (NOT )?LIKE \? ESCAPE '\|'")
_LISTED: Final = re.compile(rf"({_PATH}) (NOT )?IN \(SELECT [^?]*?FROM OPENJSON\(\?\)\)")
_WORDS: Final = (
    (r" COLLATE Latin1_General_100_BIN2", lambda _: ""),
    (r"\bNVARCHAR\(max\)", lambda _: "CLOB"),
    (r"\bN?VARCHAR\((\d+)\)", lambda found: f"VARCHAR({4 * int(found[1])})"),
    (rf"ALTER COLUMN ({_NAME}) [^\[]*? NOT NULL$", lambda found: f"ALTER COLUMN {found[1]} SET NOT NULL"),
    (rf"ALTER COLUMN ({_NAME}) (?!SET)[^\[]*? NULL$", lambda found: f"ALTER COLUMN {found[1]} SET NULL"),
)
_CATALOG: Final = {
    "sys.columns": (
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, CASE c.IS_NULLABLE WHEN 'NO' THEN 1 ELSE 0 END"
        " FROM INFORMATION_SCHEMA.COLUMNS c WHERE c.TABLE_SCHEMA = 'PUBLIC' AND c.IS_GENERATED = 'NEVER'"
    ),
    "sys.indexes": "SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = 'PUBLIC'",
}
_CREATE_INDEX: Final = re.compile(
    rf"CREATE (UNIQUE )?INDEX ({_NAME}) ON ({_NAME}) \(([^)]*)\)(?: WHERE (.*))? /\* .* \*/$", re.DOTALL
)
_DROP_INDEX: Final = re.compile(rf"DROP INDEX ({_NAME}) ON ({_NAME})$")
_RENAME: Final = re.compile(
    rf"DECLARE @name SYSNAME = PARSENAME\(N'({_NAME})', 1\); EXEC sp_rename N'({_NAME})(?:\.({_NAME}))?',"
    r" @name(, 'COLUMN')?$"
)
_DROP_TABLE: Final = re.compile(rf"DROP TABLE ({_NAME})$")
_LOCK: Final = re.compile(r"sp_(get|release)applock @Resource = '([^']+)'.*?(?:@LockTimeout = (\d+))?; *SELECT")

_MOST_VALUES: Final = 2098


class Error(Exception):
    """As the driver's: the state, and the text with the number in it."""


class Words:
    """Implements `tests.h2.Interpreter`."""

    mode = "MSSQLServer"
    autocommit = True

    def __init__(self, name: str) -> None:
        self._name = name

    def turned(self, text: str, memory: Memory) -> Iterator[str]:
        """A statement in H2's words."""
        if found := _CREATE_INDEX.match(text):
            yield from _index(found, memory)
        elif found := _DROP_INDEX.match(text):
            yield f"DROP INDEX {found[1]}"
            _, columns, _ = memory.indexes.pop(found[1], ("", [], ""))
            for column in columns:
                yield f"ALTER TABLE {found[2]} DROP COLUMN {column}"
        elif found := _RENAME.match(text):
            to, table, column = found[1], found[2], found[3]
            yield f"ALTER TABLE {table} " + (f"ALTER COLUMN {column} RENAME TO {to}" if column else f"RENAME TO {to}")
        else:
            if found := _DROP_TABLE.match(text):
                for index in [index for index, (table, _, _) in memory.indexes.items() if table == found[1]]:
                    del memory.indexes[index]
            yield _plain(text)

    def arguments(self, text: str, arguments: Sequence[object]) -> Sequence[object]:
        """What the statement takes, texts as they are kept."""
        if len(arguments) > _MOST_VALUES:
            raise Error("42000", "[42000] The incoming request has too many parameters. (8003) (SQL)")
        likes, expressions, lists = _places(text)
        found: list[object] = []
        for place, each in enumerate(arguments):
            if not isinstance(each, str):
                found.append(each)
            elif place in lists:
                found.append([kept(cell) if isinstance(cell, str) else cell for cell in json.loads(each)])
            else:
                turn = like if place in likes else _expression if place in expressions else kept
                found.append(turn(each))
        return found

    def error(self, refused: Refused) -> Exception:
        """As the driver raises it."""
        code, text, state = _meaning(refused)
        return Error(state, f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{text} ({code}) (SQL)")

    def answer(self, text: str, connection: Connection) -> list[tuple[object, ...]] | None:
        """What is told without asking H2."""
        if found := _LOCK.search(text):
            if found[1] == "release":
                connection.unlock(f"{self._name}/{found[2]}")
                return [(0,)]
            return [(0 if connection.lock(f"{self._name}/{found[2]}", int(found[3]) / 1000) else -1,)]
        if text == "SET TRANSACTION ISOLATION LEVEL SNAPSHOT":
            connection.reads_snapshots = True
            return []
        if text.startswith("SET "):
            return []
        if text == "BEGIN TRANSACTION":
            connection.java_autocommit(False)
            if connection.reads_snapshots:
                connection.pin()
            return []
        if text in ("COMMIT TRANSACTION", "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"):
            (connection.commit if text.startswith("COMMIT") else connection.rollback)()
            connection.java_autocommit(True)
            return []
        if "SERVERPROPERTY" in text:
            return [("16.0.4035.4",)]
        if "snapshot_isolation_state" in text:
            return [(1,)]
        if "@@SERVERNAME" in text:
            return [(f"mssql/{self._name}",)]
        return None


@cache
def _places(text: str) -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    """Which arguments are patterns of LIKE, which expressions, and which lists."""
    bare = _QUOTED.sub(lambda found: "x" * len(found[0]), text)
    likes, expressions, lists = set(), set(), set()
    for place, found in enumerate(re.finditer(r"\?", bare)):
        before = bare[: found.start()]
        if before.endswith("LIKE "):
            likes.add(place)
        elif before.endswith("OPENJSON("):
            lists.add(place)
        elif re.search(r"REGEXP_LIKE\([^()?]*$", before):
            expressions.add(place)
    return frozenset(likes), frozenset(expressions), frozenset(lists)


@cache
def _plain(text: str) -> str:
    for word, query in _CATALOG.items():
        if word in text and "sys.tables" in text:
            return query
    if unknown := _UNKNOWN.search(_QUOTED.sub("", text)):
        raise ValueError(f"SQL Server does not know {unknown[0]!r}: {text}")
    said = _LIKE.sub(lambda found: f"{'NOT ' if found[2] else ''}REGEXP_LIKE({found[1]}, ?)", text)
    said = _LISTED.sub(lambda found: f"{'NOT ' if found[2] else ''}({found[1]} = ANY(?))", said)
    for word, other in _WORDS:
        said = re.sub(word, other, said)
    return re.sub(
        r"^SAVE TRANSACTION ", "SAVEPOINT ", re.sub(r"^ROLLBACK TRANSACTION ", "ROLLBACK TO SAVEPOINT ", said)
    )


def like(pattern: str) -> str:
    """In Java's language, over pairs of units."""
    found = [r"\A"]
    for part in re.findall(r"\|.|\[[^\]]+\]|.", pattern, re.DOTALL):
        if part == "%":
            found.append("(?:..)*")
        elif part == "_":
            found.append("(?:..)")
        elif part.startswith("[") and len(part) > 1:
            found.append(f"(?:{'|'.join(map(kept, part[1:-1]))})")
        else:
            found.append(kept(part[-1]))
    return "".join([*found, r"\z"])


def _expression(pattern: str) -> str:
    """The same for an expression, whose letters stand by their numbers."""
    found = [r"\A"]
    for part in re.findall(rf"{re.escape(ONE)}|\\x\{{[0-9a-f]+\}}|\.\*|.", pattern.removeprefix("(?s)^"), re.DOTALL):
        if part == ONE:
            mark = kept("\ud7ff")
            found.append(f"(?:(?!{mark})..|{mark}..)")
        elif part.startswith("\\x"):
            found.append(kept(chr(int(part[3:-1], 16))))
        elif part == ".*":
            found.append("(?:..)*")
        else:
            found.append(part if part in "(?:|)" else kept(part))
    return "".join([*found, r"\z"])


def _index(found: re.Match[str], memory: Memory) -> Iterator[str]:
    unique, name, table, terms, where = found.groups()
    if not where:
        yield f"CREATE {unique or ''}INDEX {name} ON {table} ({terms})"
        return
    column = f"[{name[1:-1]}#]"
    # Rows that do not count differ by what is their own.
    counts = f"CASE WHEN {where} THEN '' ELSE [id] END"
    yield f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR(2000) GENERATED ALWAYS AS ({counts})"
    yield f"CREATE UNIQUE INDEX {name} ON {table} ({terms}, {column})"
    memory.indexes[name] = (table, [column], where)


_CODES: Final = {
    42101: 2714,
    42102: 208,
    42103: 208,
    42104: 208,
    42112: 3701,
    42121: 2705,
    42122: 207,
    50200: 1222,
    40001: 3960,
    90007: 10054,
    90121: 10054,
}


def _meaning(refused: Refused) -> tuple[int, str, str]:
    text = refused.text
    if refused.code == 23505 and (found := re.search(r'PUBLIC\.(?:""|")?(.+?)"* ON ', text)):
        return (
            2601,
            f"Cannot insert duplicate key row in object 'dbo.t' with unique index '{_bare(found[1])}'.",
            "23000",
        )
    if refused.code == 23502 and (found := re.search(r'column "(.+?)"', text)):
        return 515, f"Cannot insert the value NULL into column '{found[1]}', table 'db.dbo.t'", "23000"
    if refused.code == 22001 and (found := re.search(r'column "(?:"")?(.+?)(?:"")? CHAR', text)):
        return 2628, f"String or binary data would be truncated in table 't', column '{found[1]}'.", "22001"
    if refused.code == 57014:
        return 0, "Query timeout expired", "HYT00"
    return _CODES.get(refused.code, 50000), text, "42000"


def _bare(index: str) -> str:
    return re.sub("_INDEX_[0-9A-F]+$", "", index)


def uri(folder: Path) -> str:
    """The database that belongs to this folder; the driver's place is taken."""

    def connect(text: str, *, autocommit: bool, timeout: int) -> Connection:
        assert autocommit
        assert timeout
        found = re.search(r"DATABASE=\{(.*?)\}", text)
        assert found is not None
        return Connection(Words(found[1]), found[1])

    h2.stand_in("pyodbc", Error=Error, drivers=lambda: ["ODBC Driver 18 for SQL Server"], connect=connect)
    return f"mssql://sa:secret@127.0.0.1/{h2.name_of(folder)}"
