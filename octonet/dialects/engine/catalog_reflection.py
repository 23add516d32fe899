"""Reads the catalog of a database by queries of its own, through the sessions that its dialect has: where SQLAlchemy
does not know it, or not over such a driver."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from octonet.dialects.engine.grammar import Cells
from octonet.dialects.engine.reflection import SHORT, on_delete, once
from octonet.dialects.engine.sessions import Connect, Host
from octonet.kernel.reflected import ReflectedColumn, ReflectedIndex, ReflectedReference, ReflectedTable
from octonet.kernel.schema import FieldType

_TYPES: Final[Sequence[tuple[str, FieldType]]] = (
    (r"BOOLEAN|BIT", FieldType.BOOLEAN),
    (
        r".*INT(EGER)?|.*DECIMAL|NUMERIC|NUMBER|(DEC)?FLOAT|REAL|.*DOUBLE( PRECISION)?|BINARY_FLOAT|.*MONEY",
        FieldType.NUMBER,
    ),
    (r"DATE|.*DATETIME.*|SECONDDATE|TIMESTAMP.*", FieldType.DATE),
    (r"(BIG)?TIME.*|UNIQUEIDENTIFIER|UUID|INTERVAL.*", FieldType.STRING),
    (r"JSON", FieldType.JSON),
    (r".*ARRAY.*", FieldType.ARRAY),
    (r".*CLOB|.*TEXT|.*CHARACTER LARGE OBJECT|LONG( VARCHAR)?", FieldType.TEXT),
)
_LETTERS: Final = re.compile(r"(N|UNI)?(VAR)?CHAR2?|(VAR)?GRAPHIC|CHARACTER( VARYING)?|ALPHANUM|(LONG)?SYSNAME")


class Catalog(msgspec.Struct, frozen=True):
    """The queries by which a database tells what is declared in it, each line in the order in which it stands there."""

    columns: str
    """Lines of table, column, type, letters (null or below 1 for any number), and whether it refuses nulls."""
    keys: str
    """Lines of table and column."""
    indexes: str
    """Lines of table, index, column, and whether it is unique."""
    references: str
    """Lines of table, constraint, column, the table and the column that it refers to, and what happens on a
    deletion."""
    plain: Callable[[str], str] = str
    """A name as it was written when it was given."""


def lowered(name: str) -> str:
    """Where a name that was not quoted stands in capitals."""
    return name.lower() if name == name.upper() else name


async def reflected(host: Host, connect: Connect, catalog: Catalog) -> list[ReflectedTable]:
    """The tables behind a session, by name. Raises `StorageUnavailable`."""
    session = await connect()
    answers: list[list[Cells]] = []
    try:
        for query in (catalog.columns, catalog.keys, catalog.indexes, catalog.references):
            host.show(query)
            answers.append(await session.rows(query, ()))
    except host.failures as error:
        host.raise_meaning(error, closed=session.is_closed())
    finally:
        await session.close()
    return _tables(catalog.plain, *answers)


def _tables(
    plain: Callable[[str], str], columns: list[Cells], keys: list[Cells], indexes: list[Cells], references: list[Cells]
) -> list[ReflectedTable]:
    declared = _grouped(columns, 1)
    key, index, reference = _grouped(keys, 1), _grouped(indexes, 1), _grouped(references, 1)
    found: list[ReflectedTable] = []
    for (table,), lines in declared.items():
        own = tuple(_column(plain, line) for line in lines)
        over = _grouped(index.get((table,), ()), 2)
        names = {column.name for column in own}
        found.append(
            ReflectedTable(
                plain(table),
                own,
                tuple(plain(str(line[1])) for line in key.get((table,), ())),
                once([_index(plain, names, name, of) for (_, name), of in over.items()]),
                tuple(_reference(plain, of) for of in _grouped(reference.get((table,), ()), 2).values()),
            )
        )
    return sorted(found, key=lambda table: table.name)


def _grouped(lines: Iterable[Cells], by: int) -> Mapping[tuple[str, ...], list[Cells]]:
    found: dict[tuple[str, ...], list[Cells]] = {}
    for line in lines:
        found.setdefault(tuple(str(cell) for cell in line[:by]), []).append(line)
    return found


def _column(plain: Callable[[str], str], line: Cells) -> ReflectedColumn:
    _, name, kind, letters, required = line
    told = str(kind).upper()
    length = int(str(letters or 0))
    return ReflectedColumn(plain(str(name)), _type(told, length), told, bool(int(str(required))))


def _type(told: str, letters: int) -> FieldType | None:
    if _LETTERS.fullmatch(told):
        return FieldType.STRING if 0 < letters <= SHORT else FieldType.TEXT
    return next((kind for form, kind in _TYPES if re.fullmatch(form, told)), None)


def _index(plain: Callable[[str], str], names: set[str], name: str, lines: Sequence[Cells]) -> ReflectedIndex:
    columns = (plain(str(line[2])) for line in lines)
    # An expression stands in a column that is not told.
    over = tuple(column if column in names else "" for column in columns)
    return ReflectedIndex(plain(name), over, bool(int(str(lines[0][3]))))


def _reference(plain: Callable[[str], str], lines: Sequence[Cells]) -> ReflectedReference:
    own = tuple(plain(str(line[2])) for line in lines)
    theirs = tuple(plain(str(line[4])) for line in lines)
    # Choices of one CASE are as long as the longest of them.
    deletion = str(lines[0][5]).strip().replace("_", " ")
    return ReflectedReference(own, plain(str(lines[0][3])), theirs, on_delete(deletion))
