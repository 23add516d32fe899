"""The read side of every SQL dialect, over what its driver can do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias, TypeVar

from octonet.dialects.engine.grammar import Cell, Cells
from octonet.dialects.engine.links import Reader, answered, pairs, stored
from octonet.dialects.engine.plan import SHORT_PAGE
from octonet.dialects.engine.queries import Bound, Queries, Query
from octonet.kernel.aggregate import Stage
from octonet.kernel.filter import Filter, Options
from octonet.kernel.ids import CommandId, EntityId, Row
from octonet.kernel.schema import EntitySchema, Relation
from octonet.kernel.storage import Checkpoint, Page, Stored

_MOST_PAGES = 256

T = TypeVar("T")
Work: TypeAlias = Callable[[Reader], Awaitable[T]]


class Reads(Protocol):
    """A driver's connections for reading. Every method raises errors of the kernel only."""

    at_once: bool
    """Whether each statement sees all rows as they were at one moment; else it needs a snapshot for that, too."""

    async def one(self, text: str, arguments: Sequence[Cell]) -> Cells | None:
        """The first row of an answer that is found at once."""
        ...

    async def short(self, work: Work[T], *, snapshot: bool) -> T:
        """Do some reading that is expected to be short, within one snapshot if so asked. It may be begun anew."""
        ...

    async def perhaps(self, work: Work[T], text: str, *, snapshot: bool) -> T:
        """Do some reading, of which this is the SQL, that is short if enough rows match, and long if few do."""
        ...

    async def long(self, work: Work[T], *, snapshot: bool) -> T:
        """Do some reading of any length, within one snapshot if so asked. Raises `Unavailable`, code QUERY_TIMEOUT,
        when it takes too long."""
        ...


class SqlSource:
    """Implements `octonet.kernel.storage.Source`."""

    def __init__(self, queries: Queries, reads: Reads) -> None:
        self._queries = queries
        self._reads = reads
        self._pages: dict[int, tuple[Page, Queries, Bound]] = {}

    async def get(self, schema: EntitySchema, id: EntityId, options: Options) -> Stored | None:
        """One live row by id, with its links and its version."""
        return await self._get(self._queries.get(schema, options), id)

    async def whole(self, schema: EntitySchema, id: EntityId) -> Stored | None:
        """The same with its secrets: see `octonet.kernel.storage.Database`."""
        return await self._get(self._queries.whole(schema), id)

    async def _get(self, query: Query, id: EntityId) -> Stored | None:
        statement = query.statement
        arguments = (id,) if statement.in_order else statement.arguments((id,))
        if not query.junctions:
            cells = await self._reads.one(statement.text, arguments)
            return None if cells is None else Stored(id, int(str(cells[-1])), query.codec.decode(cells))
        bound = Bound(query, arguments)
        rows = await self._reads.short(lambda reader: stored(reader, self._queries, bound), snapshot=True)
        return rows[0] if rows else None

    async def version(self, schema: EntitySchema, id: EntityId) -> int | None:
        """The version of a live row, for conditional requests."""
        statement = self._queries.version(schema).statement
        cells = await self._reads.one(statement.text, statement.arguments((id,)))
        return None if cells is None else int(str(cells[0]))

    async def select(self, schema: EntitySchema, page: Page) -> list[Row]:
        """Matching rows in the order asked for, then by id, each with its links."""
        bound = self._bound(schema, page)
        query, snapshot = bound.query, bool(bound.query.junctions) or not self._reads.at_once

        def work(reader: Reader) -> Awaitable[list[Row]]:
            return self._page(reader, bound)

        if page.limit + page.options.skip > SHORT_PAGE or not (query.short or query.in_order):
            return await self._reads.long(work, snapshot=snapshot)
        if query.short:
            return await self._reads.short(work, snapshot=snapshot)
        return await self._reads.perhaps(work, bound.text, snapshot=snapshot)

    def _bound(self, schema: EntitySchema, page: Page) -> Bound:
        """The page's statement with its values. A page object that comes again needs no second look."""
        kept = self._pages.get(id(page))
        if kept is not None and kept[0] is page and kept[1] is self._queries:
            return kept[2]
        bound = self._queries.select(schema, page)
        if len(self._pages) >= _MOST_PAGES:
            del self._pages[next(iter(self._pages))]
        self._pages[id(page)] = (page, self._queries, bound)
        return bound

    async def count(self, schema: EntitySchema, where: Filter, *, include_deleted: bool = False) -> int:
        """How many rows match."""
        bound = self._queries.count(schema, where, include_deleted)
        rows = await self._whole_answer(bound)
        return int(str(rows[0][0]))

    async def aggregate(self, schema: EntitySchema, stages: Sequence[Stage], limit: int) -> list[Row]:
        """The pipeline's rows, at most `limit`; rows that are not grouped come without links."""
        bound = self._queries.aggregate(schema, stages, limit)
        rows = await self._whole_answer(bound)
        return bound.query.codec.decode_all(rows)

    async def pairs(
        self, schema: EntitySchema, relation: Relation, owners: Sequence[EntityId]
    ) -> list[tuple[EntityId, EntityId]]:
        """The (owner, target) links of a many-to-many relation, ordered by owner, target."""
        junction = self._queries.junction(schema, relation)
        found = await self._reads.short(
            lambda reader: pairs(reader, self._queries, junction, owners), snapshot=not self._reads.at_once
        )
        return [(EntityId(owner), EntityId(target)) for owner, target in found]

    async def checkpoint(self) -> Checkpoint:
        """How far this source has folded the log."""
        cells = await self._reads.one(self._queries.checkpoint().statement.text, ())
        return checkpoint_of([] if cells is None else [cells])

    async def recall(self, id: CommandId) -> int | None:
        """The log entry that decided the command, if it was decided."""
        bound = self._queries.recall((id,))
        cells = await self._reads.one(bound.text, bound.arguments)
        return None if cells is None else int(str(cells[1]))

    async def _whole_answer(self, bound: Bound) -> list[Cells]:
        return await self._reads.long(
            lambda reader: reader.rows(bound.text, bound.arguments), snapshot=not self._reads.at_once
        )

    async def _page(self, reader: Reader, bound: Bound) -> list[Row]:
        _, rows = await answered(reader, self._queries, bound)
        return rows


def checkpoint_of(rows: Sequence[Cells]) -> Checkpoint:
    """The checkpoint in an answer, or the one before the first entry."""
    if not rows:
        return Checkpoint()
    entry, frame, digest, schema = rows[0]
    return Checkpoint(int(str(entry)), int(str(frame)), digest if isinstance(digest, bytes) else b"", str(schema))
