"""What SAP ASE tells of the tables that stand in it."""

from __future__ import annotations

from typing import Final

from octonet.dialects.engine.catalog_reflection import Catalog

_MOST_IN_A_KEY: Final = 16
"""Columns of a reference: each has a column of its own in the catalog."""
_OURS: Final = "o.type = 'U' AND o.uid = USER_ID()"
_NUMBERS: Final = "JOIN master..spt_values v ON v.type = 'P'"
"""Counts the columns of a key, which are asked for one by one."""
_OF_INDEXES: Final = (
    f" FROM sysindexes i JOIN sysobjects o ON o.id = i.id {_NUMBERS} AND v.number BETWEEN 1 AND 31"
    f" WHERE {_OURS} AND i.indid BETWEEN 1 AND 254 AND INDEX_COL(o.name, i.indid, v.number) IS NOT NULL"
)


def _nth(name: str) -> str:
    choices = " ".join(f"WHEN {place} THEN r.{name}{place}" for place in range(1, _MOST_IN_A_KEY + 1))
    return f"CASE v.number {choices} END"


CATALOG: Final = Catalog(
    # A hidden column is a term of an index. What is called uni… has two bytes for a letter.
    columns=(
        "SELECT o.name, c.name, t.name, CASE WHEN t.name LIKE 'uni%' THEN c.length / 2 ELSE c.length END,"
        " CASE WHEN c.status & 8 = 8 THEN 0 ELSE 1 END FROM sysobjects o JOIN syscolumns c ON c.id = o.id"
        f" JOIN systypes t ON t.usertype = c.usertype WHERE {_OURS} AND ISNULL(c.status2, 0) & 16 = 0"
        " ORDER BY o.name, c.colid"
    ),
    keys=(
        f"SELECT o.name, INDEX_COL(o.name, i.indid, v.number){_OF_INDEXES} AND i.status & 2048 = 2048"
        " ORDER BY o.name, v.number"
    ),
    indexes=(
        "SELECT o.name, i.name, INDEX_COL(o.name, i.indid, v.number),"
        f" CASE WHEN i.status & 2 = 2 THEN 1 ELSE 0 END{_OF_INDEXES} ORDER BY o.name, i.name, v.number"
    ),
    # A reference does nothing when what it refers to goes: it stands against that.
    references=(
        f"SELECT o.name, OBJECT_NAME(r.constrid), COL_NAME(r.tableid, {_nth('fokey')}), OBJECT_NAME(r.reftabid),"
        f" COL_NAME(r.reftabid, {_nth('refkey')}), 'NO ACTION' FROM sysreferences r"
        f" JOIN sysobjects o ON o.id = r.tableid {_NUMBERS} AND v.number BETWEEN 1 AND r.keycnt"
        f" WHERE {_OURS} AND r.pmrydbname IS NULL ORDER BY o.name, r.constrid, v.number"
    ),
)
