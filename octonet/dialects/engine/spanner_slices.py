"""Statements of a migration over all rows of a table, cut into what one commit of Spanner's takes: copies of a table,
rows that are noted, defaults, and their undoing. All that a migration writes can be undone: it need not be one commit.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = r"`\w+`"
_LIST: Final = rf"{_NAME}(?:, {_NAME})*"
_COPY: Final = re.compile(
    rf"INSERT INTO (?P<into>{_NAME}) \((?P<names>{_LIST})\) SELECT (?P<out>{_LIST}) FROM (?P<of>{_NAME})"
)
_ROW: Final = rf"(?P<of>{_NAME})(?: AS {_NAME})?"
_NOTE: Final = re.compile(
    rf"INSERT INTO (?P<into>{_NAME}) \(`number`, `id`\) SELECT (?P<number>\d+), `id` FROM {_ROW} WHERE \S+ IS NULL"
)
_FILL: Final = re.compile(rf"UPDATE {_ROW} SET (?P<column>{_NAME})=@p1 WHERE {_NAME}\.(?P=column) IS NULL")
_EMPTY: Final = re.compile(rf"UPDATE {_ROW} SET (?P<column>{_NAME}) = NULL WHERE `id` IN (?P<noted>\(SELECT .*\))")
_ID: Final = "`id`"


def sliced(text: str, cells: int) -> str | None:
    """The statement over about so many cells, to be run and committed until it touches no row any more: it finds none
    that it was about before. None for one that is not over all of a table."""
    rows = max(1, cells // (text.count(",") + 10))
    if found := _COPY.fullmatch(text):
        names, out = found["names"].split(", "), found["out"].split(", ")
        if _ID in names:
            return f"{text} WHERE {_ID} > {_last(found['into'])} ORDER BY {_ID} LIMIT {rows}"
        same = " AND ".join(f"there.{name} = {found['of']}.{of}" for name, of in zip(names, out, strict=True))
        return f"{text} WHERE NOT EXISTS (SELECT 1 FROM {found['into']} AS there WHERE {same}) LIMIT {rows}"
    if found := _NOTE.fullmatch(text):
        where = f" WHERE `number` = {found['number']}"
        return f"{text} AND {_ID} > {_last(found['into'], where)} ORDER BY {_ID} LIMIT {rows}"
    if found := _FILL.fullmatch(text):
        return f"{text} AND {_ID} IN ({_some(found, 'IS NULL', rows)})"
    if found := _EMPTY.fullmatch(text):
        some = _some(found, f"IS NOT NULL AND each.{_ID} IN {found['noted']}", rows)
        return f"{text.partition(' WHERE ')[0]} WHERE {_ID} IN ({some})"
    return None


def _last(table: str, where: str = "") -> str:
    """Rows are copied and noted in the order of their ids."""
    return f"COALESCE((SELECT MAX({_ID}) FROM {table}{where}), '')"


def _some(found: re.Match[str], condition: str, rows: int) -> str:
    return f"SELECT each.{_ID} FROM {found['of']} AS each WHERE each.{found['column']} {condition} LIMIT {rows}"
