"""The links of rows: one query for each relation of a page, never one for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.queries import Queries
from octonet.dialects.engine.tables import Junction
from octonet.kernel.ids import JsonValue, Row
from octonet.kernel.schema import ID

Pair = tuple[str, str]


class Reader(Protocol):
    """Something that answers SQL, within one snapshot of the data."""

    async def rows(self, text: str, arguments: Sequence[Cell]) -> list[Cells]:
        """All rows of the answer."""
        ...


def chunks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """The ids, each once, no more than `size` at a time."""
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), size):
        yield unique[start : start + size]


async def pairs(reader: Reader, queries: Queries, junction: Junction, owners: Iterable[str]) -> list[Pair]:
    """The (owner, target) links of these owners, ordered by both."""
    found: list[Pair] = []
    for chunk in chunks(owners, queries.most_ids):
        bound = queries.pairs(junction, chunk)
        found += [(str(owner), str(target)) for owner, target in await reader.rows(bound.text, bound.arguments)]
    return sorted(found)


async def attach(reader: Reader, queries: Queries, junctions: Iterable[Junction], rows: Sequence[Row]) -> None:
    """Give each row the sorted ids it is linked to, under the names of the relations."""
    if not rows:
        return
    for junction in junctions:
        links: dict[str, list[JsonValue]] = {}
        for row in rows:
            row[junction.relation.name] = links[str(row[ID])] = []
        for owner, target in await pairs(reader, queries, junction, links):
            links[owner].append(target)


def wanted(junction: Junction, rows: Iterable[tuple[str, Row]]) -> set[Pair]:
    """The links that these rows, given with their ids, ought to have."""
    found: set[Pair] = set()
    for owner, state in rows:
        targets = state.get(junction.relation.name)
        if isinstance(targets, list):
            found.update((owner, str(target)) for target in targets)
    return found
