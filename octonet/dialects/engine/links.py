"""The links of rows: one query for each relation of a page, never one for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.queries import Bound, Queries
from octonet.dialects.engine.tables import Junction
from octonet.kernel.ids import EntityId, JsonValue, Row
from octonet.kernel.schema import ID
from octonet.kernel.storage import Stored

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


async def answered(reader: Reader, queries: Queries, bound: Bound) -> tuple[list[Cells], list[Row]]:
    """The lines of an answer, and the rows that they are, with their links."""
    lines = await reader.rows(bound.text, bound.arguments)
    rows = bound.query.codec.decode_all(lines)
    await attach(reader, queries, bound.query.junctions, rows)
    return lines, rows


async def stored(reader: Reader, queries: Queries, bound: Bound) -> list[Stored]:
    """The rows of a query whose lines end with the version."""
    lines, rows = await answered(reader, queries, bound)
    return [Stored(EntityId(str(row[ID])), int(str(cells[-1])), row) for cells, row in zip(lines, rows, strict=True)]


def wanted(junction: Junction, rows: Iterable[tuple[str, Row]]) -> set[Pair]:
    """The links that these rows, given with their ids, ought to have."""
    found: set[Pair] = set()
    for owner, state in rows:
        targets = state.get(junction.relation.name)
        if isinstance(targets, list):
            found.update((owner, str(target)) for target in targets)
    return found
