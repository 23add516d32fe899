"""SAP ASE's words, as H2 says them, and its driver's ways. What a LIKE matches is a regular expression, an index with a
term that is worked out is one over a column more, and what a procedure does is done here. Two tables may have indexes
of one name: H2 is told their table's, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tests import h2
from tests.h2 import Connection, Memory, Refused, kept
from tests.h2_mssql import Error, like

_NAME: Final = r"\[[^\]]+\]"
_PATH: Final = rf"(?:{_NAME}|\w+)(?:\.{_NAME})?"
_QUOTED: Final = re.compile(r"(\[[^\]]*\]|'[^']*')")
_UNKNOWN: Final = re.compile(
    r"\b(RETURNING|BOOLEAN|NVARCHAR|CLOB|IF EXISTS|ILIKE|TRUE|FALSE|(?:ADD|DROP|ALTER) COLUMN|NULLS|RENAME|TOP|FETCH)\b"
    r"|(?<!ROWS )\bLIMIT\b|LIMIT \?|OFFSET \?|CAST\(\?|CONCAT\(|;",
)
_UNMARKED: Final = rf"STR_REPLACE\(STR_REPLACE\({_PATH}, [^,?]*, [^,?]*\), [^,?]*, [^,?]*\)"
_LIKE: Final = re.compile(rf"({_UNMARKED}|{_PATH}) (NOT )?LIKE \? ESCAPE '\|'")
_LETTERS: Final = re.compile(r"\bCHAR\((\d+)\)(?: \+ CHAR\((\d+)\))?")
_WORDS: Final = (
    (r" LOCK DATAROWS\b", lambda _: ""),
    (r"\bTEXT\b", lambda _: "CLOB"),
    (r"\bVARCHAR\((\d+)\)", lambda found: f"VARCHAR({2 * int(found[1])})"),
    (
        rf"^(ALTER TABLE {_NAME}) MODIFY ({_NAME}) .* NOT NULL$",
        lambda found: f"{found[1]} ALTER {found[2]} SET NOT NULL",
    ),
    (rf"^(ALTER TABLE {_NAME}) MODIFY ({_NAME}) .* NULL$", lambda found: f"{found[1]} ALTER {found[2]} SET NULL"),
    (rf"^(ALTER TABLE {_NAME}) DROP ({_NAME})$", lambda found: f"{found[1]} DROP COLUMN {found[2]}"),
    (r"ROWS LIMIT (\d+) OFFSET (\d+)", lambda found: f"OFFSET {found[2]} ROWS FETCH NEXT {found[1]} ROWS ONLY"),
    (r"ROWS LIMIT (\d+)", lambda found: f"FETCH FIRST {found[1]} ROWS ONLY"),
    (r"STR_REPLACE\(", lambda _: "REPLACE("),
    (_LETTERS.pattern, lambda found: f"'{kept(''.join(chr(int(each)) for each in found.groups() if each))}'"),
)
_CATALOG: Final = {
    "FROM sysobjects o JOIN syscolumns c": (
        "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, CASE c.IS_NULLABLE WHEN 'NO' THEN 1 ELSE 0 END"
        " FROM INFORMATION_SCHEMA.COLUMNS c WHERE c.TABLE_SCHEMA = 'PUBLIC' AND c.IS_GENERATED = 'NEVER'"
        " AND c.TABLE_NAME NOT LIKE '%octonet\\_turn'"
    ),
    "FROM sysindexes i JOIN sysobjects o": (
        "SELECT REGEXP_REPLACE(INDEX_NAME, '^.*[.]', '') FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = 'PUBLIC'"
        " AND TABLE_NAME NOT LIKE '%octonet\\_gone\\_%' AND TABLE_NAME NOT LIKE '%octonet\\_turn'"
    ),
}
_CREATE_INDEX: Final = re.compile(rf"CREATE (UNIQUE )?INDEX ([\w$]+) ON ({_NAME}) \((.*)\) /\* .* \*/")
_CASE: Final = re.compile(r"(?:, )?(CASE WHEN .* THEN .* END)$")
_DROP_INDEX: Final = re.compile(rf"DROP INDEX ({_NAME})\.([\w$]+)")
_IF_THERE: Final = re.compile(r"IF EXISTS \(SELECT 1 FROM sys\w+ WHERE [^?]*?\) (?:EXEC \('(.*)'\)|(DROP TABLE .*))")
_RENAME: Final = re.compile(
    r"DECLARE @told INT\nIF EXISTS \(SELECT 1 FROM sys\w+ WHERE [^?]*\)\n"
    r"EXEC @told = sp_rename '([\w$]+)(?:\.([\w$]+))?', '([\w$]+)'(, 'column')?\n"
    r"ELSE RAISERROR 20900 '[^']*'\nIF @told != 0 RAISERROR 20901 '[^']*'"
)
_DROP_TABLE: Final = re.compile(rf"DROP TABLE ({_NAME})")
_LOCK: Final = re.compile(r"LOCK TABLE \[([^\]]+)\] IN (SHARE|EXCLUSIVE) MODE WAIT (\d+)")
_SETTING: Final = "SET "


class Words:
    """Implements `tests.h2.Interpreter`."""

    mode = "MSSQLServer"
    autocommit = True

    def __init__(self, name: str) -> None:
        self._name = name
        self._renames = False

    def turned(self, text: str, memory: Memory) -> Iterator[str]:
        """A statement in H2's words."""
        self._renames = False
        if_there = _IF_THERE.fullmatch(text)
        if if_there:
            text = if_there[1] or if_there[2]
        if found := _CREATE_INDEX.fullmatch(text):
            yield from _index(found, memory)
        elif found := _DROP_INDEX.fullmatch(text):
            index = f"[{found[1][1:-1]}.{found[2]}]"
            yield f"DROP INDEX {'IF EXISTS ' if if_there else ''}{index}"
            _, columns, _ = memory.indexes.pop(index, ("", [], ""))
            for column in columns:
                yield f"ALTER TABLE {found[1]} DROP COLUMN {column}"
        elif found := _RENAME.fullmatch(text):
            self._renames = True
            yield from _renamed(found, memory)
        else:
            if found := _DROP_TABLE.fullmatch(text):
                for index in [index for index, (table, _, _) in memory.indexes.items() if table == found[1]]:
                    del memory.indexes[index]
            said = _plain(text)
            if if_there:
                said = said.replace("DROP TABLE", "DROP TABLE IF EXISTS").replace(
                    "DROP COLUMN", "DROP COLUMN IF EXISTS"
                )
                said = said.replace("ALTER TABLE", "ALTER TABLE IF EXISTS")
            yield said

    def arguments(self, text: str, arguments: Sequence[object]) -> Sequence[object]:
        """What the statement takes, texts as they are kept."""
        likes = _likes(text)
        return [
            (like if place in likes else kept)(each) if isinstance(each, str) else each
            for place, each in enumerate(arguments)
        ]

    def error(self, refused: Refused) -> Exception:
        """As the driver raises it."""
        code, text, state = _meaning(refused)
        if self._renames and code in (207, 208):
            code = 20900
        return Error(state, f"[{state}] [FreeTDS][SQL Server]{text}\n ({code}) (SQLExecDirectW)")

    def answer(self, text: str, connection: Connection) -> list[tuple[object, ...]] | None:
        """What is told without asking H2."""
        if found := _LOCK.fullmatch(text):
            if not connection.lock_table(f"{self._name}/{found[1]}", int(found[3]), alone=found[2] == "EXCLUSIVE"):
                raise Error("42000", "[42000] Could not acquire a lock within the specified wait period. (12207) (SQL)")
            return []
        if text.startswith(_SETTING):
            return []
        if text == "BEGIN TRANSACTION":
            connection.java_autocommit(False)
            return []
        if text in ("COMMIT TRANSACTION", "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"):
            (connection.commit if text.startswith("COMMIT") else connection.rollback)()
            connection.unlock_all()
            connection.java_autocommit(True)
            return []
        for word, told in _TOLD.items():
            if word in text:
                return [(told,)]
        return [(f"sybase/{self._name}",)] if "@@servername" in text else None


_TOLD: Final[dict[str, object]] = {
    "@@version": "Adaptive Server Enterprise/16.0 SP03 PL02/EBF 27413 SMP/P/x86_64/SLES 11.1",
    "@@maxpagesize": 16384,
    "config = 131": 190,
    "config = 123": 50,
    "CONVERT(VARBINARY(9)": 1,
}


@cache
def _likes(text: str) -> frozenset[int]:
    """Which arguments are patterns."""
    bare = _QUOTED.sub(lambda found: "x" * len(found[0]), text)
    places = enumerate(re.finditer(r"\?", bare))
    return frozenset(place for place, found in places if bare[: found.start()].endswith("LIKE "))


@cache
def _plain(text: str) -> str:
    for word, query in _CATALOG.items():
        if word in text:
            return query
    if unknown := _UNKNOWN.search(_QUOTED.sub("", text)):
        raise ValueError(f"ASE does not know {unknown[0]!r}: {text}")
    said = _LIKE.sub(lambda found: f"{'NOT ' if found[2] else ''}REGEXP_LIKE({found[1]}, ?)", text)
    for word, other in _WORDS:
        said = re.sub(word, other, said)
    return re.sub(
        r"^SAVE TRANSACTION ", "SAVEPOINT ", re.sub(r"^ROLLBACK TRANSACTION ", "ROLLBACK TO SAVEPOINT ", said)
    )


def _index(found: re.Match[str], memory: Memory) -> Iterator[str]:
    unique, name, table, terms = found.groups()
    index, columns = f"[{table[1:-1]}.{name}]", list[str]()
    told = re.sub(rf"HASHBYTES\('sha1', ({_NAME})\)", r"\1", terms)
    if case := _CASE.search(told):
        columns.append(f"[{table[1:-1]}.{name}#]")
        # Two nulls differ in H2.
        worked_out = case[1].replace(" END", " ELSE '' END")
        yield f"ALTER TABLE {table} ADD COLUMN {columns[0]} VARCHAR(2100) GENERATED ALWAYS AS ({worked_out})"
        told = ", ".join(filter(None, (told[: case.start()], columns[0])))
    yield f"CREATE {unique or ''}INDEX {index} ON {table} ({told})"
    memory.indexes[index] = (table, columns, terms)


def _renamed(found: re.Match[str], memory: Memory) -> Iterator[str]:
    table, column, to = found[1], found[2], found[3]
    if column:
        yield f"ALTER TABLE [{table}] ALTER COLUMN [{column}] RENAME TO [{to}]"
        return
    yield f"ALTER TABLE [{table}] RENAME TO [{to}]"
    for index, (of, columns, terms) in list(memory.indexes.items()):
        if of == f"[{table}]":
            moved = f"[{to}.{index[1:-1].rpartition('.')[2]}]"
            yield f"ALTER INDEX {index} RENAME TO {moved}"
            del memory.indexes[index]
            memory.indexes[moved] = (f"[{to}]", columns, terms)


_CODES: Final = {
    42101: 2714,
    42102: 208,
    42103: 208,
    42104: 208,
    42111: 1913,
    42112: 3701,
    42121: 2705,
    42122: 207,
    50200: 12205,
    40001: 1205,
    90007: 20017,
    90121: 20017,
}


def _meaning(refused: Refused) -> tuple[int, str, str]:
    text = refused.text
    if refused.code == 23505 and (found := re.search(r'PUBLIC\.(?:""|")?(.+?)"* ON ', text)):
        index = re.sub("_INDEX_[0-9A-F]+$", "", found[1]).rpartition(".")[2]
        return 2601, f"Attempt to insert duplicate key row in object 't' with unique index '{index}'", "23000"
    if refused.code == 23502 and (found := re.search(r'column "(.+?)"', text)):
        told = f"Attempt to insert NULL value into column '{found[1]}', table 'd.dbo.t'; column does not allow nulls."
        return 515, told, "23000"
    if refused.code == 22001:
        return 9502, "Data exception - string data right truncated.", "22001"
    if refused.code == 57014:
        return 0, "Timeout expired", "HYT00"
    return _CODES.get(refused.code, 50000), text, "42000"


def uri(folder: Path) -> str:
    """The database that belongs to this folder; the driver's place is taken."""

    def connect(text: str, *, autocommit: bool, timeout: int) -> Connection:
        assert autocommit
        assert timeout
        found = re.search(r"DATABASE=\{(.*?)\}", text)
        assert found is not None
        return Connection(Words(found[1]), found[1])

    h2.stand_in("pyodbc", Error=Error, drivers=lambda: ["FreeTDS"], connect=connect)
    return f"sybase://sa:secret@127.0.0.1/{h2.name_of(folder)}"
