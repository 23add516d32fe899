"""What Db2's errors leave unsaid. It tells an index and a column by their numbers, and of a value that is too long not
even that: the catalog, and what was to be written, tell the rest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from octonet.dialects.engine.dbapi_driver import Failure, Raw
from octonet.dialects.engine.dbapi_errors import Meanings
from octonet.dialects.engine.ends import ended
from octonet.dialects.engine.grammar import Cell

_TAKEN: Final = -803
_MISSING: Final = -407
_TOO_LONG: Final = frozenset({-302, -433})
_OF_THE_DRIVER: Final = -433
"""Stands for the number of a value that the driver itself found too long."""

_TABLE: Final = re.compile(r'(?:INSERT INTO|UPDATE) "([^"]+)"')
_INDEX_NUMBER: Final = re.compile(r"identified by \W*(\d+)\W")
_COLUMN_NUMBER: Final = re.compile(r"COLNO=(\d+)")
_INSERTED: Final = re.compile(r'INSERT INTO "[^"]+" \(([^)]*)\)')
_UPDATED: Final = re.compile(r'"([^"]+)" ?= ?\?')
_OF_TABLE: Final = "TABSCHEMA = CURRENT SCHEMA AND TABNAME = ?"

MEANINGS: Final = Meanings(
    taken=frozenset({_TAKEN}),
    missing=frozenset({_MISSING}),
    too_long=_TOO_LONG,
    no_index=frozenset(),
    late=frozenset({-952}),
    gone=frozenset({-1224, -1229, -1776, -4499, -30080, -30081, -30108}),
    away=frozenset(
        {-289, -290, -291, -902, -912, -913, -930, -954, -955, -956, -958, -964, -968, -980, -1015, -1035, -1040, -1116}
        | {-1117, -1218, -1226, -1390, -1585, -1773, -1774}
    ),
    rights=frozenset({-551, -552, -553, -567, -1092}),
    not_made=frozenset({-204, -205, -206}),
    rolled_back=frozenset({-911, -918, -1476}),
    already_so=frozenset({-204, -601, -612}),
    # A value that is longer than any column it could be compared with is refused as one that is to be kept.
    too_large=frozenset({-10, -101, -134, -405, -437, *_TOO_LONG}),
    pattern=frozenset({-130, -132, -20558}),
    key=re.compile(r'\[index "(.+)"\]$'),
    column=re.compile(r'\[column "(.+)"\]$'),
    table=_TABLE,
    gone_states=("08",),
    late_states=("57014",),
)


def told(error: Exception) -> Failure:
    """An error of the driver."""
    text = str(error)
    number, short = re.search(r"SQLCODE=(-?\d+)", text), re.search(r"\bSQL0*(\d+)[NC]\b", text)
    state = re.search(r"SQLSTATE=(\w{5})", text)
    code = int(number[1]) if number else -int(short[1]) if short else 0
    if state and state[1] == "22001" and code not in _TOO_LONG:
        code = _OF_THE_DRIVER
    return Failure(text, code, state[1] if state else "")


def explained(raw: Raw, failure: Failure, text: str, lines: Sequence[Sequence[Cell]]) -> str:
    """The index or the column that an error is about, as `MEANINGS` find them; empty where that cannot be known."""
    table, said = _TABLE.match(text), str(failure)
    if table is None:
        return ""
    if failure.code == _TAKEN and (index := _INDEX_NUMBER.search(said)):
        question = f"SELECT INDNAME FROM SYSCAT.INDEXES WHERE {_OF_TABLE} AND IID = ?"
        names = _asked(raw, question, table[1], int(index[1]))
        return f' [index "{names[0][0]}"]' if names else ""
    if failure.code == _MISSING and (column := _COLUMN_NUMBER.search(said)):
        question = f"SELECT COLNAME FROM SYSCAT.COLUMNS WHERE {_OF_TABLE} AND COLNO = ?"
        names = _asked(raw, question, table[1], int(column[1]))
        return f' [column "{names[0][0]}"]' if names else ""
    if failure.code in _TOO_LONG:
        question = f"SELECT COLNAME, LENGTH FROM SYSCAT.COLUMNS WHERE {_OF_TABLE} AND TYPENAME = 'VARCHAR'"
        room = {str(name): int(str(length)) for name, length in _asked(raw, question, table[1])}
        return _longer(text, lines, room)
    return ""


def _longer(text: str, lines: Sequence[Sequence[Cell]], room: dict[str, int]) -> str:
    listed = _INSERTED.match(text)
    names = re.findall(r'"([^"]+)"', listed[1]) if listed else _UPDATED.findall(text)
    for line in lines:
        for name, cell in zip(names, line, strict=False):
            if isinstance(cell, str) and name in room and len(ended(cell).encode()) > room[name]:
                return f' [column "{name}"]'
    return ""


def _asked(raw: Raw, text: str, *arguments: object) -> Sequence[Sequence[object]]:
    cursor = raw.cursor()
    try:
        cursor.execute(text, arguments)
        return cursor.fetchall()
    finally:
        cursor.close()
